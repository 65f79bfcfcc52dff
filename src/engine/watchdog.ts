import { formatDuration } from '../model/duration.ts'
import type { Verdict } from '../model/verdict.ts'
import { type Paused, pauseMain } from './inspect.ts'
import { monotonic } from './monotonic.ts'
import type { StoppedPolicy } from './settle-verdict.ts'
import type { Stillness } from './stillness.ts'
import { UNSAVED } from './tail-rescue.ts'
import { WATCHED, type Watched } from './watched.ts'
import { within } from './within.ts'

/** What blocked the event loop, told when it turns again. */
export interface Blockage {
  readonly ms: number
  readonly job: Watched['job'] | undefined
  readonly stack: string | undefined
}

/** What the watchdog knows of a job without asking the main thread. */
export interface HeldJob {
  readonly job: Watched['job']
  /** ms; undefined: its task has no limit. */
  readonly hard: number | undefined
  readonly policy: StoppedPolicy
}

export interface WatchdogOptions {
  /** Counts the ticks of the main loop. */
  readonly ticks: Int32Array<SharedArrayBuffer>
  readonly stillness: Stillness
  /** ms that the loop may be blocked by code that has no limit. */
  readonly maxBlock: number
  /** Somebody watches this process, and sees to its jobs when it is dead. */
  readonly supervised: boolean
  /** What this worker holds, as the database has it: for a main thread that does not answer. */
  readonly held: () => Promise<readonly HeldJob[]>
  /** Keeps what the runs have logged: a blocked loop sends nothing by itself. */
  readonly rescue: (unsaved: string) => Promise<void>
  readonly onUnblocked: (blockage: Blockage) => void
  /** Ends this process. `paused`: its main thread stands still until then. */
  readonly condemn: (verdict: Verdict, policy: StoppedPolicy | undefined, paused: Paused | undefined) => Promise<void>
}

const CHECK_MS = 100
/** The end of a process does not wait longer for the lines that its runs have logged. */
const RESCUE_MS = 250
/** Blocked for as long as this, somebody is to blame. */
const FIRST_LOOK_MS = 500
const LOOK_AGAIN_MS = 5_000
/** The same, when the last look showed nobody. */
const LOOK_SOON_MS = 250
/** How long the main thread may take to answer: longer each time, for a machine may be busy. Inside a system call it never does. */
const PATIENCE_MS = 1_000
const PATIENCE_MOST_MS = 8_000

const LOOK = `(() => { for (const look of globalThis[Symbol.for('${WATCHED}')] ?? []) { const seen = look(); if (seen !== null) return seen } })()`

/**
 * Watches the event loop from another thread. When it does not turn, it finds out whose code that is and where; while that code is within
 * its limits nothing happens, at its hard limit the process is ended: a loop that never gives way can be stopped by nothing less.
 */
export class Watchdog {
  readonly #options: WatchdogOptions
  #lastTick = -1
  #tickedAt = monotonic()
  #lookAt = 0
  #looking = false
  #over = false
  #looked = false
  #patience = PATIENCE_MS
  /** Who blocks it now. */
  #seen: Watched | undefined
  /** What the log is told afterwards: the first of this blockage that had a name, for the last look may come when its code is already over. */
  #blamed: { readonly job: Watched['job'] | undefined; readonly stack: string } | undefined
  #held: readonly HeldJob[] | undefined
  #rescued = '[]'

  constructor(options: WatchdogOptions) {
    this.#options = options
  }

  start(): void {
    setInterval(() => this.#check(), CHECK_MS)
  }

  /** The loop has been blocked for longer than its code may: the worker must not hold its jobs any longer. */
  get wedged(): boolean {
    const deadline = this.#seen?.deadline ?? 0
    return monotonic() - this.#tickedAt > this.#options.maxBlock && monotonic() > deadline + LOOK_AGAIN_MS
  }

  #check(): void {
    const now = monotonic()
    const frozen = this.#options.stillness.beat()
    const tick = Atomics.load(this.#options.ticks, 0)
    if (tick !== this.#lastTick || frozen) {
      if (this.#looked && !frozen) {
        this.#options.onUnblocked({ ms: now - this.#tickedAt, job: this.#blamed?.job, stack: this.#blamed?.stack })
      }
      this.#lastTick = tick
      this.#tickedAt = now
      this.#lookAt = now + FIRST_LOOK_MS
      this.#looked = false
      this.#patience = PATIENCE_MS
      this.#seen = this.#blamed = this.#held = undefined
      return
    }
    if (this.#looking || this.#over || now < this.#lookAt) return
    this.#looking = true
    this.#look()
      .catch(() => {})
      .finally(() => {
        this.#looking = false
      })
  }

  async #look(): Promise<void> {
    const tick = this.#lastTick
    const paused = await pauseMain(LOOK, this.#patience)
    const now = monotonic()
    const blocked = now - this.#tickedAt
    if (tick !== this.#lastTick || tick !== Atomics.load(this.#options.ticks, 0)) return paused?.resume()
    this.#looked = true
    if (paused === undefined) {
      this.#lookAt = now + LOOK_SOON_MS
      const first = this.#patience === PATIENCE_MS
      this.#patience = Math.min(this.#patience * 3, PATIENCE_MOST_MS)
      // Once may be for want of a processor.
      return first ? undefined : this.#lookInDatabase(blocked)
    }
    const seen = typeof paused.value === 'string' ? (JSON.parse(paused.value) as Watched) : undefined
    this.#seen = seen
    if (this.#blamed?.job === undefined) this.#blamed = { job: seen?.job, stack: paused.stack }
    const rescued = this.#rescue(await paused.evaluate(UNSAVED))
    const end = this.#endOf(seen)
    if (end !== undefined && now >= end) {
      await within(rescued, RESCUE_MS)
      return this.#condemn(verdictOf(seen, blocked, paused.stack), seen?.policy, paused)
    }
    this.#lookAt = now + (seen === undefined ? LOOK_SOON_MS : LOOK_AGAIN_MS)
    await paused.resume()
    if (seen !== undefined && end !== undefined) this.#lookAt = Math.min(this.#lookAt, Math.max(end, now + CHECK_MS))
  }

  async #rescue(unsaved: unknown): Promise<void> {
    if (typeof unsaved !== 'string' || unsaved === this.#rescued) return
    this.#rescued = unsaved
    await this.#options.rescue(unsaved).catch(() => {})
  }

  /** When the process is to end if its loop is still blocked, monotonic ms. */
  #endOf(seen: Watched | undefined): number | undefined {
    const { maxBlock, supervised } = this.#options
    if (seen?.deadline !== undefined) return seen.deadline
    // Without a job to blame, a process that nobody restarts may be somebody else's, with a worker in it.
    return seen !== undefined || supervised ? this.#tickedAt + maxBlock : undefined
  }

  /** No answer: the limits of what is held decide. Whoever blocks the loop has been running for at least as long as it is blocked. */
  async #lookInDatabase(blocked: number): Promise<void> {
    const { maxBlock, supervised } = this.#options
    const tick = this.#lastTick
    const held = this.#held ?? (await this.#options.held())
    // It may have begun to turn again while the database thought about it.
    if (tick !== this.#lastTick || tick !== Atomics.load(this.#options.ticks, 0)) return
    this.#held = held
    if (held.length === 0 && !supervised) return
    const longest = Math.max(...held.map(({ hard }) => hard ?? maxBlock), held.length === 0 ? maxBlock : 0)
    if (blocked < longest) return
    const [only] = held
    const one = held.length === 1 ? only : undefined
    const kind = one?.hard === undefined ? 'blocked' : 'hard-limit'
    const known: Watched | undefined = one && { ...one, kind, limit: one.hard ?? maxBlock, deadline: 0 }
    await this.#condemn(verdictOf(known, blocked, undefined), one?.policy, undefined)
  }

  async #condemn(verdict: Verdict, policy: StoppedPolicy | undefined, paused: Paused | undefined): Promise<void> {
    this.#over = true
    await this.#options.condemn(verdict, policy, paused)
  }
}

function verdictOf(seen: Watched | undefined, blocked: number, stack: string | undefined): Verdict {
  const blockedMs = Math.round(blocked)
  const place = stack === undefined ? ', in a system call that shows no stack' : ''
  const how = `the event loop was blocked for ${formatDuration(blocked)}${place}`
  const rest = { blockedMs, ...(stack !== undefined && { stack }) }
  if (seen === undefined) return { kind: 'blocked', message: `Code of no known run did not give way: ${how}`, ...rest }
  const { job, kind, limit } = seen
  const what =
    kind === 'hard-limit'
      ? `The run was still going at its hard limit of ${formatDuration(limit)}`
      : kind === 'stalled'
        ? `The run made no progress for ${formatDuration(limit)}`
        : 'The run has no limit and did not give way'
  return { kind, job, message: `${what}: ${how}`, ...rest }
}
