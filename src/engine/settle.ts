import { closeClaims } from '../store/claims.ts'
import { STATE_CODES } from '../store/codes.ts'
import type { Database } from '../store/db.ts'
import { isConnectionTrouble, isWorthAnotherTry, wasNeverSent } from '../store/db-errors.ts'
import {
  type Closing,
  type Complete,
  complete,
  type Delay,
  delay,
  type Finish,
  finish,
  type GivenBack,
  type HandBack,
  handBack,
} from '../store/settles.ts'
import { saveTails, type TailWrite } from '../store/tails.ts'
import type { Emptied, Ledger, LetGo } from './ledger.ts'
import type { Waker } from './wake.ts'
import { within } from './within.ts'

/** What the database must be told about a run that has ended. */
export type Settlement =
  | { readonly kind: 'complete'; readonly write: Complete }
  | { readonly kind: 'finish'; readonly write: Finish }
  | { readonly kind: 'delay'; readonly write: Delay }
  | { readonly kind: 'hand-back'; readonly write: HandBack }
  /** It was written already, inside the run's own transaction (`sure`), or must not be written: only its claim is closed. */
  | { readonly kind: 'close'; readonly sure: boolean }

/**
 * What became of it. `refused` by the fence: the job had been ended before, or has moved on. `unwritten`: the lease was over first, or the
 * server will not have it; whoever releases the worker gives the job back.
 */
export type Fate = 'written' | 'refused' | 'unwritten'

type FateOf = (id: string) => Fate

interface Item extends LetGo {
  readonly settlement: Settlement
  readonly id: string
  readonly ledger: Ledger
  /** The last lines that the run logged. */
  readonly tail: TailWrite | undefined
  readonly done: (fate: Fate) => void
}

export interface SettlerOptions {
  readonly db: Database
  readonly waker: Waker
  /** Keep completed jobs in the history. */
  readonly keepCompleted: boolean
  /** A job that was interrupted is ready again. */
  readonly onInterrupted?: (job: GivenBack) => void
  /** After each batch: the backlog has room again. */
  readonly onSettled: () => void
  readonly onTrouble: (error: unknown) => void
}

const BATCH = 500
/** A claim takes a few ms; on a machine or a database that is slower, the run that is counted in vain is the smaller evil. */
const LANDING_MS = 200
const RETRY_FIRST_MS = 50
const RETRY_MOST_MS = 2_000

/**
 * Writes the ends of runs, in batches: while one batch is on its way the next one gathers. Retries for as long as its lease holds; after
 * that somebody else owns the jobs. Repeating a batch is safe: what was written already is refused by the fence.
 */
export class Settler {
  readonly #options: SettlerOptions
  #waiting: Item[] = []
  #flushing = false
  #unsettled = 0
  #landing: Promise<void> | undefined
  #idle: (() => void)[] = []

  constructor(options: SettlerOptions) {
    this.#options = options
  }

  /** Runs that have ended and are not written yet. */
  get unsettled(): number {
    return this.#unsettled
  }

  settle(
    id: string,
    claim: number,
    ledger: Ledger,
    settlement: Settlement,
    done: (fate: Fate) => void,
    tail?: TailWrite,
  ): void {
    this.#unsettled++
    const sure = settlement.kind !== 'close' || settlement.sure
    this.#waiting.push({
      id,
      claim,
      ledger,
      settlement,
      sure,
      done,
      tail: settlement.kind === 'close' ? undefined : tail,
    })
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => void this.#flush())
  }

  /**
   * What ends from now on is written when the last claims have landed: one that was on its way would take again what was handed off before it,
   * give it back, and count a run.
   */
  settleAfter(landed: Promise<void>): void {
    this.#landing = within(landed, LANDING_MS)
  }

  /** Resolves when everything has been written, or given up. */
  async idle(): Promise<void> {
    if (this.#unsettled === 0) return
    await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#landing
      const batch = this.#waiting.length <= BATCH ? this.#waiting : this.#waiting.slice(0, BATCH)
      this.#waiting = this.#waiting.length <= BATCH ? [] : this.#waiting.slice(BATCH)
      for (const [ledger, items] of Map.groupBy(batch, (item) => item.ledger)) await this.#write(ledger, items)
    }
    this.#flushing = false
    if (this.#unsettled === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }

  async #write(ledger: Ledger, items: readonly Item[]): Promise<void> {
    const emptied = ledger.letGo(items)
    const fateOf = await this.#untilWritten(ledger, items, emptied)
    ledger.forget([...emptied.sure, ...emptied.unsure])
    for (const item of items) {
      this.#unsettled--
      item.done(fateOf(item.id))
    }
    this.#options.onSettled()
  }

  async #untilWritten(ledger: Ledger, items: readonly Item[], emptied: Emptied): Promise<FateOf> {
    const { worker } = ledger
    const written = new Set<string>()
    /** Of those that the last statements did not name. */
    let others: Fate = 'refused'
    const fateOf: FateOf = (id) => (written.has(id) ? 'written' : others)
    for (let pause = RETRY_FIRST_MS; ; pause = Math.min(pause * 2, RETRY_MOST_MS)) {
      try {
        await this.#send(items, { worker, claims: emptied.sure }, written)
        // The row of a job that this worker may still hold must stay: whoever empties the ledger finds the job by nothing else.
        if (emptied.unsure.length > 0) await closeClaims(this.#options.db, worker, emptied.unsure)
        return fateOf
      } catch (error) {
        this.#options.onTrouble(error)
        if (!isWorthAnotherTry(error)) {
          if (items.length > 1) return this.#separately(ledger, items, emptied)
          others = 'unwritten'
          return fateOf
        }
        if (!ledger.held) {
          others = 'unwritten'
          return fateOf
        }
        // What was written, and not answered, refuses the second time.
        if (isConnectionTrouble(error) && !wasNeverSent(error)) others = 'written'
        await new Promise((resolve) => setTimeout(resolve, pause * (0.5 + Math.random() / 2)))
      }
    }
  }

  /** The server refused the batch for what one of them holds: one bad row must not stop the others. */
  async #separately(ledger: Ledger, items: readonly Item[], emptied: Emptied): Promise<FateOf> {
    const fates = new Map<string, Fate>()
    for (const item of items) {
      const fateOf = await this.#untilWritten(ledger, [item], NONE)
      fates.set(item.id, fateOf(item.id))
    }
    const closing = closeClaims(this.#options.db, ledger.worker, [...emptied.sure, ...emptied.unsure])
    await closing.catch((error: unknown) => this.#options.onTrouble(error))
    return (id) => fates.get(id) ?? 'unwritten'
  }

  async #send(items: readonly Item[], closing: Closing, written: Set<string>): Promise<void> {
    const { db, waker, keepCompleted } = this.#options
    await this.#saveTails(items)
    const completions: Complete[] = []
    const finishes: Finish[] = []
    const delays: Delay[] = []
    const backs: HandBack[] = []
    for (const { settlement, id } of items) {
      if (settlement.kind === 'complete') completions.push(settlement.write)
      else if (settlement.kind === 'finish') finishes.push(settlement.write)
      else if (settlement.kind === 'delay') delays.push(settlement.write)
      else if (settlement.kind === 'hand-back') backs.push(settlement.write)
      else written.add(id)
    }
    // The claims are closed by the last statement: a ledger row must never vanish before its jobs are let go.
    const open: Closing = { worker: closing.worker, claims: [] }
    if (completions.length > 0) {
      const alone = backs.length + delays.length + finishes.length === 0
      const missed = await complete(db, completions, keepCompleted, alone ? closing : open)
      for (const { id, run, result } of completions) {
        if (!missed.has(id)) written.add(id)
        // Its row has moved, or is not this run's any more: its id will tell.
        else finishes.push({ id, run, result, state: STATE_CODES.completed, error: null, keep: keepCompleted })
      }
      if (alone && missed.size === 0) return
    }
    const last = backs.length > 0 ? 'backs' : delays.length > 0 ? 'delays' : 'finishes'
    if (finishes.length > 0 || last === 'finishes') {
      for (const id of await finish(db, finishes, last === 'finishes' ? closing : open)) written.add(id)
    }
    if (delays.length > 0) {
      for (const id of await delay(db, delays, last === 'delays' ? closing : open)) written.add(id)
    }
    if (backs.length > 0) {
      const given = await handBack(db, backs, closing)
      const interrupted = new Set(backs.filter((back) => back.interrupted).map(({ id }) => id))
      for (const job of given) {
        written.add(job.id)
        waker.wake(job.queue)
        if (interrupted.has(job.id)) this.#options.onInterrupted?.(job)
      }
    }
  }

  /** Before the jobs go: only a run that has its job may write. What the server will not have must not keep the job from its end. */
  async #saveTails(items: readonly Item[]): Promise<void> {
    const tails = items.flatMap(({ tail }) => tail ?? [])
    if (tails.length === 0) return
    try {
      await saveTails(this.#options.db, tails)
    } catch (error) {
      if (isWorthAnotherTry(error)) throw error
      this.#options.onTrouble(error)
    }
  }
}

const NONE: Emptied = { sure: [], unsure: [] }
