import { randomBytes } from 'node:crypto'
import { monotonic } from '../../engine/monotonic.ts'
import { GATE, HELD } from '../../engine/wake.ts'
import { within } from '../../engine/within.ts'
import { isHoldfastError } from '../../model/errors.ts'
import type { Database } from '../../store/db.ts'
import {
  type BegunDeploy,
  beginDeploy,
  type DeployRequirement,
  type DeployScope,
  passDeploy,
  renewDeploy,
} from '../../store/deploys.ts'
import { wake } from '../../store/enqueue.ts'
import { Listener } from '../../store/listen.ts'
import type { Judgement } from './judge.ts'
import { letGo } from './let-go.ts'
import { Lookout } from './lookout.ts'
import { type Offender, offendersOf } from './offender.ts'
import { type Prepared, reportOf } from './prepared.ts'
import { refuseNobody } from './somebody.ts'
import type { View } from './view.ts'

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
  readonly #lookout: Lookout
  readonly #since = monotonic()
  #lost = false
  #renewing = false
  /** The way is free: all that is left is to say so. */
  #free = false
  #stop = (): void => {}
  #pinged = false
  #wake = (): void => {}

  constructor(options: PrepareOptions, begun: BegunDeploy, token: string) {
    this.#options = options
    this.#begun = begun
    this.#token = token
    this.#lookout = new Lookout(options.db, begun.number, options.require)
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
    const { view, judgement } = await this.#lookout.look()
    const { onLook } = this.#options
    if (onLook !== undefined) {
      void this.#lookout.learn()
      const { inTheWay } = this.#lookout
      onLook({ view, inTheWay, unheard: judgement.unheard, number: this.#begun.number, waited: this.#waited })
    }
    if (judgement.blockers.length > 0) return false
    return judgement.unheard.length === 0 || this.#waited >= ANSWER_WITHIN_MS
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
    const blockers = this.#lookout.last?.judgement.blockers ?? []
    const offenders = (await within(offendersOf(this.#options.db, blockers), LEARN_WITHIN_MS)) ?? this.#lookout.inTheWay
    const prepared = this.#prepared(offenders, why)
    return { ...prepared, stillHeld: await this.#letGo(reportOf(prepared), why) }
  }

  #letGo(report: object | undefined, why: string): Promise<string | null> {
    const { db, expiry = EXPIRY_MS, hold } = this.#options
    const most = this.#free ? hold : expiry
    return letGo(db, { number: this.#begun.number, why, report, most, mayHavePassed: this.#free })
  }

  #prepared(offenders: readonly Offender[], why: string | null): Prepared {
    const { view, judgement } = this.#lookout.last ?? {}
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
      vanished: this.#lookout.vanished,
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
