import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { monotonic } from '../../engine/monotonic.ts'
import { tryRelease } from '../../engine/release-expired.ts'
import { GATE, HELD } from '../../engine/wake.ts'
import { within } from '../../engine/within.ts'
import { formatDuration } from '../../model/duration.ts'
import { isHoldfastError } from '../../model/errors.ts'
import type { Database } from '../../store/db.ts'
import {
  type BegunDeploy,
  beginDeploy,
  type DeployRequirement,
  type DeployScope,
  type DeployState,
  endDeploy,
  listDeploys,
  passDeploy,
  renewDeploy,
} from '../../store/deploys.ts'
import { wake } from '../../store/enqueue.ts'
import { usualDuration, vanishedWorkers } from '../../store/gate.ts'
import { Listener } from '../../store/listen.ts'
import { type Judgement, judge } from './judge.ts'
import { type Offender, offenderOf, offendersOf, type Usual } from './offender.ts'
import { refuseNobody } from './somebody.ts'
import { type View, Viewer } from './view.ts'

export interface PrepareOptions {
  readonly db: Database
  /** Where notifications arrive; undefined: this command polls. */
  readonly listenUrl: string | undefined
  readonly owner: string
  readonly reason: string
  readonly build: string | undefined
  readonly scope: DeployScope
  /** Goes on where nobody lives in a scope that was narrowed. */
  readonly allowNone?: boolean | undefined
  readonly require: DeployRequirement
  /** ms to wait for work to end. */
  readonly timeout: number
  /** ms that the hold lives by itself after that. */
  readonly hold: number
  /** Gives up. */
  readonly signal: AbortSignal
  /** Once workers are held. */
  readonly onBegun?: (deploy: BegunDeploy) => void
  readonly onLook?: (progress: Progress) => void
  /** The database does not answer; the wait goes on. */
  readonly onTrouble?: (error: Error) => void
  /** ms that the wait outlives this process. */
  readonly expiry?: number
}

export interface Progress {
  readonly view: View
  /** What it waits for, with what is known of it by now. */
  readonly inTheWay: readonly Offender[]
  readonly unheard: Judgement['unheard']
  readonly number: number
  /** ms */
  readonly waited: number
}

/** How a preparation ended. Plain JSON. */
export interface Prepared {
  readonly passed: boolean
  readonly number: number
  readonly token: string
  /** null: the token alone tells new workers apart. */
  readonly build: string | null
  readonly require: DeployRequirement
  readonly workers: number
  readonly waitedMs: number
  /** Until the last worker had answered; null: not all have. */
  readonly heardMs: number | null
  /** Names of workers that did not answer. They are held all the same. */
  readonly unheard: readonly string[]
  /** Workers that stopped answering meanwhile, and how many jobs they ran: these are given to others, and the processes may be alive. */
  readonly vanished: readonly { readonly name: string; readonly jobs: number }[]
  /** Jobs that went on running, because they can be interrupted at any moment. */
  readonly interruptible: number
  /** Passed: when the hold ends. */
  readonly holdUntil: Date | null
  /** Not passed: why. */
  readonly why: string | null
  /** Not passed: why workers may be held all the same, for a while; null: they are not. */
  readonly stillHeld: string | null
  readonly offenders: readonly Offender[]
}

/** The hold of a command that died is over after this. */
const EXPIRY_MS = 15_000
const LOOK_EVERY_MS = 500
/** Something was heard while it looked. Notifications come in flocks. */
const LOOK_AGAIN_MS = 20
/** A worker that cannot answer is held as well as the others: what it runs is known from the database. */
const ANSWER_WITHIN_MS = 5_000
/** Beyond the time of the wait: where that is short, a look is to be had all the same. */
const LOOK_WITHIN_MS = 5_000
/** The database may be away at the end: what is known is said all the same. */
const LEARN_WITHIN_MS = 3_000
const END_WITHIN_MS = 5_000
const CLOSE_WITHIN_MS = 1_000
const TELL_WITHIN_MS = 1_000

/**
 * Holds the workers of a scope and waits until only what can be interrupted runs there, or nothing. Gives up after a time, and then all claim
 * again; so they do when this process dies, a few seconds later.
 * @throws {HoldfastError} HF_DEPLOY_NOBODY, HF_DEPLOY_OVERLAP, HF_DEPLOY_BUSY, and what a database throws before anything is held
 */
export async function prepare(options: PrepareOptions): Promise<Prepared> {
  const { db, owner, reason, build, scope, require, expiry = EXPIRY_MS } = options
  if (!options.allowNone) await refuseNobody(db, scope)
  const token = randomBytes(8).toString('hex')
  const begun = await beginDeploy(db, { owner, reason, build, token, ...scope, require, expires: expiry })
  options.onBegun?.(begun)
  return new Preparation(options, begun, token).run()
}

class Preparation {
  readonly #options: PrepareOptions
  readonly #begun: BegunDeploy
  readonly #token: string
  readonly #viewer: Viewer
  readonly #since = monotonic()
  #lost = false
  #renewing = false
  /** The way is free: all that is left is to say so. */
  #free = false
  #stop = (): void => {}
  #pinged = false
  #wake = (): void => {}
  /** Of tasks in the way; asked for once each, and not waited for. */
  readonly #usual: Usual = new Map()
  readonly #asked = new Set<string>()
  /** How many jobs each worker ran when it was last seen. */
  readonly #ran = new Map<number, number>()
  #vanished: Prepared['vanished'] = []
  #last: { view: View; judgement: Judgement } | undefined

  constructor(options: PrepareOptions, begun: BegunDeploy, token: string) {
    this.#options = options
    this.#begun = begun
    this.#token = token
    this.#viewer = new Viewer(options.db)
  }

  async run(): Promise<Prepared> {
    const { db, listenUrl, signal } = this.#options
    const listener =
      listenUrl === undefined
        ? undefined
        : new Listener({
            db,
            url: listenUrl,
            onNotify: (payload) => payload === HELD && this.#hear(),
            // Workers answer sooner than a connection is made: until the next look it would not know.
            onConnect: () => this.#hear(),
          })
    const give = (): void => {
      this.#stop()
      this.#hear()
    }
    signal.addEventListener('abort', give)
    void listener?.open()
    // Apart from the looks, of which one may take its time: on a machine without a processor to spare a hold of 15 s was lost that way.
    const renewing = setInterval(() => void this.#renew(), (this.#options.expiry ?? EXPIRY_MS) / 5)
    await within(this.#tellWorkers(), TELL_WITHIN_MS)
    try {
      return await this.#wait()
    } catch (error) {
      await this.#letGo(undefined, error instanceof Error ? error.message : String(error))
      throw error
    } finally {
      clearInterval(renewing)
      signal.removeEventListener('abort', give)
      await within(listener?.close() ?? Promise.resolve(), CLOSE_WITHIN_MS)
    }
  }

  get #waited(): number {
    return monotonic() - this.#since
  }

  async #wait(): Promise<Prepared> {
    const { signal, timeout } = this.#options
    for (;;) {
      if (signal.aborted) return this.#giveUp('it was interrupted by hand')
      const trouble = await this.#bounded(this.#turn())
      if (typeof trouble === 'object') return trouble
      if (trouble !== undefined) return this.#giveUp(trouble)
      const left = timeout - this.#waited
      if (left <= 0) return this.#giveUp('the time was over')
      await this.#pause(Math.min(LOOK_EVERY_MS, left))
    }
  }

  /** What comes of a turn, unless the command is to end before: in one, each statement may wait half a minute for a server that is away. */
  async #bounded<T>(turn: Promise<T>): Promise<T | undefined> {
    const stopped = new Promise<undefined>((resolve) => {
      this.#stop = () => resolve(undefined)
    })
    return within(Promise.race([turn, stopped]), Math.max(0, this.#options.timeout - this.#waited) + LOOK_WITHIN_MS)
  }

  /** One look. Resolves with the end of it, or why there is none to come; undefined: go on. */
  async #turn(): Promise<Prepared | string | undefined> {
    try {
      if (!this.#free) {
        if (this.#lost) return 'its hold was ended by somebody else, or had expired while this process stood still'
        if (!(await this.#look())) return undefined
        // Nothing begins to run any more. So when the answer of what follows is lost, it is asked again, and nothing else.
        this.#free = true
      }
      return (
        (await this.#pass()) ?? 'its hold was ended by somebody else, or had expired while this process stood still'
      )
    } catch (error) {
      // A server that restarts is no reason to give up: nobody claims meanwhile either.
      if (!isHoldfastError(error, 'HF_DATABASE_DOWN') && !isHoldfastError(error, 'HF_DEPLOY_BUSY')) throw error
      this.#options.onTrouble?.(error)
      return undefined
    }
  }

  /** Whether the way is free. */
  async #look(): Promise<boolean> {
    const view = await this.#see()
    const judgement = judge(view, this.#options.require)
    this.#last = { view, judgement }
    this.#show(view, judgement)
    if (judgement.blockers.length > 0) return false
    return judgement.unheard.length === 0 || this.#waited >= ANSWER_WITHIN_MS
  }

  async #see(): Promise<View> {
    const { db } = this.#options
    const deploy = this.#begun.number
    let view = await this.#viewer.look({ deploy })
    for (const { key } of view.workers) this.#ran.set(key, view.jobs.filter(({ worker }) => worker === key).length)
    // Afterwards: so it is known what those ran that are written off now.
    if (await tryRelease(db)) view = await this.#viewer.look({ deploy })
    const keys = new Set(view.workers.map(({ key }) => key))
    if (this.#last === undefined || [...this.#ran.keys()].some((key) => !keys.has(key))) {
      const gone = await vanishedWorkers(db, deploy)
      this.#vanished = gone.map(({ key, name }) => ({ name, jobs: this.#ran.get(key) ?? 0 }))
    }
    return view
  }

  #show(view: View, { blockers, unheard }: Judgement): void {
    const { onLook } = this.#options
    if (onLook === undefined) return
    // The history may take its time, and nothing depends on it.
    void this.#learn(new Set(blockers.map(({ task }) => task)))
    const inTheWay = blockers.map((job) => offenderOf(job, this.#usual.get(job.task)))
    onLook({ view, inTheWay, unheard, number: this.#begun.number, waited: this.#waited })
  }

  async #learn(tasks: ReadonlySet<string>): Promise<void> {
    const strangers = [...tasks].filter((task) => !this.#asked.has(task))
    for (const task of strangers) this.#asked.add(task)
    for (const task of strangers) {
      const usual = await usualDuration(this.#options.db, task)
      if (usual !== undefined) this.#usual.set(task, usual)
    }
  }

  async #renew(): Promise<void> {
    const { db, expiry = EXPIRY_MS } = this.#options
    // Its turn at the gate may take a while, and the connections are few.
    if (this.#renewing) return
    this.#renewing = true
    try {
      if (!(await renewDeploy(db, this.#begun.number, expiry, ['preparing']))) this.#lost = true
    } catch {
      // The next one may come through; the look says what is wrong.
    } finally {
      this.#renewing = false
    }
  }

  async #pass(): Promise<Prepared | undefined> {
    const prepared = this.#prepared([], null)
    const { heardMs, hold } = { heardMs: prepared.heardMs ?? undefined, hold: this.#options.hold }
    const until = await passDeploy(this.#options.db, this.#begun.number, { hold, heardMs, report: reportOf(prepared) })
    return until && { ...prepared, passed: true, holdUntil: until }
  }

  async #giveUp(why: string): Promise<Prepared> {
    const blockers = this.#last?.judgement.blockers ?? []
    const offenders = await offendersOf(this.#options.db, blockers, this.#usual, LEARN_WITHIN_MS)
    const prepared = this.#prepared(offenders, why)
    return { ...prepared, stillHeld: await this.#letGo(reportOf(prepared), why) }
  }

  /** Ends the hold. Resolves with why workers may still be held; null: they are not, by this deploy. */
  async #letGo(report: object | undefined, why: string): Promise<string | null> {
    let trouble = 'the database does not answer'
    const ending = this.#end(report, why, monotonic() + END_WITHIN_MS).catch((error: unknown) => {
      if (error instanceof Error) trouble = error.message
      return undefined
    })
    const state = await within(ending, END_WITHIN_MS)
    const { number } = this.#begun
    if (state === 'migrating') return `Somebody has marked deploy ${number} as migrating: its workers stay held.`
    if (state !== undefined) return null
    const { expiry = EXPIRY_MS, hold } = this.#options
    // Whether the last word about a way that was free has arrived, nobody knows.
    const most = this.#free ? hold : expiry
    return (
      `The hold could not be ended (${trouble}): it ends by itself in at most ${formatDuration(most)}` +
      `${this.#free ? `, or with \`holdfast deploy abort ${number}\`` : ''}.`
    )
  }

  /** Again and again, until the database answers. Resolves with the state that it is in then. */
  async #end(report: object | undefined, why: string, until: number): Promise<DeployState> {
    const { db } = this.#options
    const { number } = this.#begun
    for (;;) {
      try {
        // 'held': what said that the way is free may have arrived, and only its answer have been lost.
        await endDeploy(db, number, { state: 'aborted', why, report, from: ['preparing', 'held'] })
        const [now] = await listDeploys(db, { number, most: 1 })
        await this.#tellWorkers()
        return now?.state ?? 'aborted'
      } catch (error) {
        if (monotonic() + LOOK_EVERY_MS > until) throw error
        await sleep(LOOK_EVERY_MS)
      }
    }
  }

  #prepared(offenders: readonly Offender[], why: string | null): Prepared {
    const { view, judgement } = this.#last ?? {}
    return {
      passed: false,
      number: this.#begun.number,
      token: this.#token,
      build: this.#begun.build,
      require: this.#options.require,
      workers: view?.workers.length ?? 0,
      waitedMs: Math.round(this.#waited),
      heardMs: judgement?.heardMs === undefined ? null : Math.round(judgement.heardMs),
      unheard: judgement?.unheard.map(({ name }) => name) ?? [],
      vanished: this.#vanished,
      interruptible: judgement?.interruptible.length ?? 0,
      holdUntil: null,
      why,
      stillHeld: null,
      offenders,
    }
  }

  async #tellWorkers(): Promise<void> {
    await wake(this.#options.db, GATE).catch(() => {})
  }

  #hear(): void {
    this.#pinged = true
    this.#wake()
  }

  /** Until something is heard, or the time is over. */
  async #pause(ms: number): Promise<void> {
    const heard = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    if (!this.#pinged) await within(heard, ms)
    else await within(heard, LOOK_AGAIN_MS)
    this.#pinged = false
  }
}

/** What of it is kept with the deploy. */
function reportOf({ workers, waitedMs, heardMs, unheard, vanished, interruptible, offenders }: Prepared): object {
  return { workers, waitedMs, heardMs, unheard, vanished, interruptible, offenders }
}
