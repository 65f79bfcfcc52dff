import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../../model/errors.ts'
import type { DeployRequirement } from '../../store/deploys.ts'
import {
  type Fetching,
  type Fleet,
  type FleetJob,
  type FleetWork,
  type LaterJob,
  ofAnotherStart,
  type Resumed,
  type Silent,
  sameQueue,
} from './fleet.ts'

export interface PrepareSettings {
  readonly require: DeployRequirement
  readonly timeoutMs: number
  /** Aborts on Ctrl-C: everything is resumed. */
  readonly signal: AbortSignal
  /** What an earlier command has paused, so that it is resumed with the rest. */
  readonly before?: readonly Fetching[]
  /** Writes down what is about to be paused. Awaited before anything is: whoever dies later leaves it to be undone. */
  readonly remember: (held: readonly Fetching[]) => Promise<void>
  readonly tell?: (progress: FleetProgress) => void
  /** Between two looks, ms. */
  readonly every?: number
}

export interface FleetProgress {
  readonly waitedMs: number
  readonly workers: readonly string[]
  /** They fetch nothing more: all of them have said so. */
  readonly acknowledged: boolean
  /** What the gate waits for. */
  readonly blocking: readonly FleetJob[]
  /** So many more run, of which nothing is known. Only where something blocks already. */
  readonly more: number
  /** What runs and may be interrupted. */
  readonly interruptible: readonly FleetJob[]
  /** What workers keep for later, and will begin in spite of the pause. */
  readonly later: readonly LaterJob[]
  readonly silent: readonly Silent[]
}

export type Prepared = FleetProgress & { readonly held: readonly Fetching[] } & (
    | { readonly ok: true }
    | {
        readonly ok: false
        readonly why: 'timeout' | 'interrupted' | 'error'
        readonly error?: unknown
        /** Undefined: even that failed, with `resumeError`. */
        readonly resumed?: Resumed
        readonly resumeError?: unknown
      }
  )

/** A job that is due sooner than this begins before the workers can be restarted. */
const SOON_MS = 30_000
const EVERY_MS = 500

/**
 * The gate over somebody else's fleet. Pauses it, sees that every worker has heard, and waits until what runs may be interrupted (or
 * until nothing runs). Then the fleet stays paused. On a timeout, an abort or an error everything fetches again, and the reason is in the result.
 */
export async function prepareFleet(fleet: Fleet, settings: PrepareSettings): Promise<Prepared> {
  const gate = new FleetGate(fleet, settings)
  try {
    const passed = await gate.wait()
    if (passed) return { ok: true, ...gate.view }
    return await gate.giveUp(settings.signal.aborted ? 'interrupted' : 'timeout')
  } catch (error) {
    return gate.giveUp(settings.signal.aborted ? 'interrupted' : 'error', error)
  }
}

class FleetGate {
  readonly #fleet: Fleet
  readonly #settings: PrepareSettings
  readonly #begun = performance.now()
  #held: readonly Fetching[]
  #now: Omit<FleetProgress, 'waitedMs'> = NOTHING_KNOWN

  constructor(fleet: Fleet, settings: PrepareSettings) {
    this.#fleet = fleet
    this.#settings = settings
    this.#held = settings.before ?? []
  }

  get view(): FleetProgress & { readonly held: readonly Fetching[] } {
    return { ...this.#now, waitedMs: performance.now() - this.#begun, held: this.#held }
  }

  /** @returns whether the gate is open; false: out of time, or aborted. */
  async wait(): Promise<boolean> {
    const { signal, timeoutMs, every = EVERY_MS, tell } = this.#settings
    while (!signal.aborted) {
      if (await this.#look()) return true
      tell?.(this.view)
      const left = this.#begun + timeoutMs - performance.now()
      if (left <= 0) return false
      await sleep(Math.min(every, left), undefined, { signal }).catch(() => {})
    }
    return false
  }

  async #look(): Promise<boolean> {
    const { workers, fetching, silent } = await this.#fleet.workers()
    this.#now = { ...this.#now, workers, silent, acknowledged: false }
    if (this.#settings.signal.aborted) return false
    if (fetching.length > 0) {
      await this.#pause(fetching)
      return false
    }
    if (workers.length === 0 && this.#held.length === 0) throw nobodyThere(this.#fleet.system)
    const work = await this.#fleet.active(workers)
    this.#sort(work)
    const unheard = [...silent, ...work.silent.filter(({ who }) => !silent.some((each) => each.who === who))]
    this.#now = { ...this.#now, silent: unheard, acknowledged: unheard.length === 0 }
    return unheard.length === 0 && this.#now.blocking.length + this.#now.more === 0 && !this.#settings.signal.aborted
  }

  async #pause(fetching: readonly Fetching[]): Promise<void> {
    const others = this.#held.filter((old) => !fetching.some((now) => sameQueue(old, now) || ofAnotherStart(old, now)))
    this.#held = [...others, ...fetching]
    await this.#settings.remember(this.#held)
    if (!this.#settings.signal.aborted) await this.#fleet.pause(fetching)
  }

  #sort({ jobs, later, more = 0 }: FleetWork): void {
    const soon = later.filter(({ dueMs }) => dueMs < SOON_MS)
    const all = [...jobs, ...soon.map(({ id, task, worker }) => ({ id, task, worker, state: 'taken' as const }))]
    const interruptible = all.filter((job) => this.#fleet.isInterruptible(job))
    const blocking = this.#settings.require === 'idle' ? all : all.filter((job) => !interruptible.includes(job))
    this.#now = { ...this.#now, interruptible, blocking, more, later: later.filter((job) => !soon.includes(job)) }
  }

  async giveUp(why: 'timeout' | 'interrupted' | 'error', error?: unknown): Promise<Prepared> {
    const failed = { ok: false, why, ...(error !== undefined && { error }) } as const
    try {
      const resumed = await this.#fleet.resume(this.#held)
      return { ...failed, ...this.view, resumed }
    } catch (resumeError) {
      return { ...failed, ...this.view, resumeError }
    }
  }
}

const NOTHING_KNOWN = {
  workers: [],
  acknowledged: false,
  blocking: [],
  more: 0,
  interruptible: [],
  later: [],
  silent: [],
} as const satisfies Omit<FleetProgress, 'waitedMs'>

function nobodyThere(system: string): HoldfastError {
  return new HoldfastError(
    'HF_FLEET_EMPTY',
    `No worker of ${system} answered, so there is nothing that could be paused.`,
  )
}
