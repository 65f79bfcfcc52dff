import { tryRelease } from '../../engine/release-expired.ts'
import type { Database } from '../../store/db.ts'
import type { DeployRequirement } from '../../store/deploys.ts'
import { usualDuration, vanishedWorkers } from '../../store/gate.ts'
import { type Judgement, judge } from './judge.ts'
import { type Offender, offenderOf, type Usual } from './offender.ts'
import type { Prepared } from './prepared.ts'
import { type View, Viewer } from './view.ts'

/** What a preparation has seen of its workers, look by look. */
export class Lookout {
  readonly #db: Database
  readonly #deploy: number
  readonly #require: DeployRequirement
  readonly #viewer: Viewer
  /** Of tasks in the way; asked for once each, and not waited for. */
  readonly #usual: Usual = new Map()
  readonly #asked = new Set<string>()
  /** How many jobs each worker ran when it was last seen. */
  readonly #ran = new Map<number, number>()
  #vanished: Prepared['vanished'] = []
  #last: { readonly view: View; readonly judgement: Judgement } | undefined

  constructor(db: Database, deploy: number, require: DeployRequirement) {
    this.#db = db
    this.#deploy = deploy
    this.#require = require
    this.#viewer = new Viewer(db)
  }

  /** What was seen last. */
  get last(): { readonly view: View; readonly judgement: Judgement } | undefined {
    return this.#last
  }

  /** Workers that stopped answering since the first look. */
  get vanished(): Prepared['vanished'] {
    return this.#vanished
  }

  /** What was in the way at the last look, with what is known of it by now. */
  get inTheWay(): readonly Offender[] {
    const blockers = this.#last?.judgement.blockers ?? []
    return blockers.map((job) => offenderOf(job, this.#usual.get(job.task)))
  }

  async look(): Promise<{ readonly view: View; readonly judgement: Judgement }> {
    const view = await this.#see()
    this.#last = { view, judgement: judge(view, this.#require) }
    return this.#last
  }

  /** How long what is in the way usually takes. The history may take its time over it, and nothing depends on it. */
  async learn(): Promise<void> {
    const tasks = new Set(this.#last?.judgement.blockers.map(({ task }) => task))
    const strangers = [...tasks].filter((task) => !this.#asked.has(task))
    for (const task of strangers) this.#asked.add(task)
    for (const task of strangers) {
      const usual = await usualDuration(this.#db, task)
      if (usual !== undefined) this.#usual.set(task, usual)
    }
  }

  async #see(): Promise<View> {
    const deploy = this.#deploy
    let view = await this.#viewer.look({ deploy })
    for (const { key } of view.workers) this.#ran.set(key, view.jobs.filter(({ worker }) => worker === key).length)
    // Afterwards: so it is known what those ran that are written off now.
    if (await tryRelease(this.#db)) view = await this.#viewer.look({ deploy })
    const keys = new Set(view.workers.map(({ key }) => key))
    if (this.#last === undefined || [...this.#ran.keys()].some((key) => !keys.has(key))) {
      const gone = await vanishedWorkers(this.#db, deploy)
      this.#vanished = gone.map(({ key, name }) => ({ name, jobs: this.#ran.get(key) ?? 0 }))
    }
    return view
  }
}
