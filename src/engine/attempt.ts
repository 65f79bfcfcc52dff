import { HoldfastError } from '../model/errors.ts'
import { isInstance } from '../model/instance-of.ts'
import { Interrupted } from '../model/interrupted.ts'
import type { InterruptReason, Outcome } from '../model/outcome.ts'
import { cleanUpTime } from '../model/time-limit.ts'
import { SUSPECT_AFTER } from '../model/worry.ts'
import type { Asked } from '../store/checkpoints.ts'
import type { Claimed } from '../store/claims.ts'
import type { NewJob } from '../store/enqueue.ts'
import type { Wait } from '../store/turns.ts'
import type { TaskDefinition } from '../tasks/definition.ts'
import { ItemFailure } from '../tasks/iterate/failure.ts'
import type { Upgraded } from '../tasks/versions.ts'
import type { Ledger } from './ledger.ts'
import { monotonic } from './monotonic.ts'
import type { Tail } from './tail.ts'

/** A job that code enqueued, and the item that did: before all items, in `start` and in plain tasks, it is -1. */
export interface Outgoing {
  readonly item: number
  readonly job: NewJob
}

/** One run of one job on this worker, from claim to settle. */
export class Attempt {
  readonly job: Claimed
  readonly task: TaskDefinition
  readonly ledger: Ledger
  readonly startedAt = monotonic()
  /** Jobs that its code enqueued and that are not written yet. Each is written with what covers its item: a checkpoint, or the end. */
  outgoing = NONE
  /** Why the loop of an iteration should stop at its next boundary. */
  stopAt: InterruptReason | undefined
  /** At-most-once: its start may be on record. From then on, nothing starts it again. */
  mayHaveStarted = false
  /** `complete` was called. */
  completing = false
  /** It completed inside its own transaction. */
  settled = false
  /** The item whose code ended the collection. */
  endsAt: number | undefined
  /** The item that it failed on. */
  where: string | undefined
  /** What its code said of its progress; written with the next renewal. */
  progress: { readonly done: number; readonly total: number | undefined } | undefined
  /** Progress was written. */
  reported = false
  /** It has ended, and its end is written or about to be. */
  over = false
  /** What it has logged; undefined: nothing. */
  tail: Tail | undefined
  /** What somebody asked of it. */
  asked: Asked | undefined
  /** Counts its signs of life: items done, progress told. */
  steps = 0
  /** How often it waits for a connection just now: in such a wait it does not stand still. */
  waiting = 0
  /** When one was last seen, monotonic ms. */
  movedAt = this.startedAt
  /** Older code enqueued it: its input as today's would. */
  upgraded: Upgraded | undefined
  /** ms in which others blocked its event loop: no time of its own. */
  lostTime = 0
  /** The task's clean-up after the soft limit, ready to be called. */
  onTimeout: (() => unknown) | undefined
  #condemned: { readonly error: unknown } | undefined
  /** Of a run that is not in this process: takes what `interrupt` is told to where it is. */
  relay: ((reason: InterruptReason, error: unknown, now: boolean) => void) | undefined
  #controller: AbortController | undefined
  #reading: AbortController | undefined
  #aborted: InterruptReason | undefined
  #abortError: unknown

  constructor(job: Claimed, task: TaskDefinition, ledger: Ledger) {
    this.job = job
    this.task = task
    this.ledger = ledger
  }

  /** Runs of it crashed, and it got nowhere in between: it must run alone, so that its death tells whether it was the one. */
  get suspect(): boolean {
    return this.job.crashes >= SUSPECT_AFTER
  }

  enqueue(job: NewJob, item: number): void {
    if (this.settled) {
      const why = 'the job has completed, and with it everything that it enqueued was committed'
      throw new HoldfastError('HF_TX', `enqueue() was called after complete(): ${why}. Call it before, or inside.`)
    }
    if (this.outgoing === NONE) this.outgoing = []
    this.outgoing.push({ item, job })
  }

  /** Its code says how far it is. An iteration's own count says more, and its saved place must not be overwritten. */
  report(done: number, total: number | undefined): void {
    this.steps++
    if (this.task.kind === 'iteration') return
    this.progress = { done: wholeNumber(done) ?? 0, total: wholeNumber(total) }
  }

  /** What has been committed is not written again. */
  sent(written: readonly Outgoing[]): void {
    const gone = new Set(written)
    this.outgoing = this.outgoing.filter((each) => !gone.has(each))
  }

  /** It may have a checkpoint or a request in the database, which must go when it ends. */
  get hasTraces(): boolean {
    return this.task.kind === 'iteration' || this.asked !== undefined || this.reported || this.job.run > 1
  }

  /** Made when the code first looks: a controller costs more than the rest of a small run. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted !== undefined) this.#controller.abort(this.#abortError)
    }
    return this.#controller.signal
  }

  /** What its source gets: aborts as soon as the loop should stop, since a source that waits for an item holds up nothing but the stop. */
  get readingSignal(): AbortSignal {
    if (this.#reading === undefined) {
      this.#reading = new AbortController()
      if (this.stopAt !== undefined) this.#reading.abort(this.#abortError ?? new Interrupted(this.stopAt))
    }
    return this.#reading.signal
  }

  /** How it waits for a connection. */
  get wait(): Wait {
    return this.#waitUntil(() => this.signal)
  }

  /** The same between two items, where nothing is lost when it stops instead. */
  get loopWait(): Wait {
    return this.#waitUntil(() => this.readingSignal)
  }

  #waitUntil(aborts: () => AbortSignal): Wait {
    return {
      begins: () => {
        this.waiting++
        return aborts()
      },
      ends: () => {
        this.waiting--
      },
    }
  }

  /** Why its signal aborted. */
  get aborted(): InterruptReason | undefined {
    return this.#aborted
  }

  /** What `signal.reason` is; what a time limit ends the run with. */
  get abortError(): unknown {
    return this.#abortError
  }

  /**
   * Asks it to stop. An iteration stops at its next boundary, with everything saved; `now` aborts its signal as well.
   * The first abort wins; losing the lease overrides everything.
   */
  interrupt(reason: InterruptReason, error: unknown, now: boolean): void {
    this.relay?.(reason, error, now)
    this.stopAt ??= reason
    if (reason === 'lease-lost') this.stopAt = reason
    this.#reading?.abort(error)
    if (!now) return
    if (this.#aborted !== undefined && reason !== 'lease-lost') return
    const first = this.#aborted === undefined
    this.#aborted = reason
    this.#abortError = error
    if (!first) return
    this.#controller?.abort(error)
  }

  /** It is the fault of this run that its process must go: it has failed with this error, however its code may still end. */
  condemn(error: unknown): void {
    this.#condemned ??= { error }
    this.interrupt('fault', new Interrupted('fault'), true)
  }

  /** What it was condemned for. */
  get condemned(): { readonly error: unknown } | undefined {
    return this.#condemned
  }

  /** When its code must have stopped, monotonic ms, by which limit, and that limit in ms. */
  get deadline(): { readonly at: number; readonly kind: 'hard-limit' | 'stalled'; readonly limit: number } | undefined {
    const { timeLimit, stallAfter } = this.task
    const hard = timeLimit && {
      at: this.startedAt + this.lostTime + timeLimit.hard,
      kind: 'hard-limit' as const,
      limit: timeLimit.hard,
    }
    if (stallAfter === undefined) return hard
    const stalled = {
      at: this.movedAt + stallAfter + cleanUpTime(stallAfter),
      kind: 'stalled' as const,
      limit: stallAfter,
    }
    return hard === undefined || stalled.at < hard.at ? stalled : hard
  }

  /** The user's own error, without what the engine put around it to remember the item. */
  unwrap(thrown: unknown): unknown {
    if (!isInstance(thrown, ItemFailure)) return thrown
    this.where = thrown.where
    return thrown.cause
  }

  /** How a run ends that was stopped, when its code then threw; undefined: nothing had stopped it. */
  outcomeOfStop(): Outcome | undefined {
    const reason = this.#aborted ?? this.stopAt
    if (this.#condemned !== undefined && reason !== 'lease-lost')
      return { kind: 'failed', error: this.#condemned.error, retry: 'policy' }
    if (reason === undefined) return undefined
    if (reason === 'limit' || reason === 'stall') return { kind: 'failed', error: this.#abortError, retry: 'policy' }
    if (reason === 'cancel') return { kind: 'cancelled' }
    return { kind: 'interrupted', reason }
  }
}

/** Shared, and never written to: most runs enqueue nothing. */
const NONE: Outgoing[] = []

function wholeNumber(value: unknown): number | undefined {
  const whole = Math.floor(Number(value))
  return Number.isSafeInteger(whole) && whole >= 0 ? whole : undefined
}
