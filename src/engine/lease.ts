import { Worker as Thread } from 'node:worker_threads'
import type { RenewalOptions } from '../store/renewal.ts'
import type { TaskFacts } from './held-jobs.ts'
import { monotonic } from './monotonic.ts'
import { Pulse } from './pulse.ts'
import { Stillness } from './stillness.ts'
import type { Blockage } from './watchdog.ts'

/** How the main loop is watched. */
export interface WatchOptions {
  /** File descriptor on which a supervisor hears why this process dies; undefined: there is none. */
  readonly blackbox?: number | undefined
  /** By every name that a job may carry. */
  readonly tasks?: ReadonlyMap<string, TaskFacts>
  /** The loop turns again after code had blocked it for long enough to be looked at. */
  readonly onUnblocked?: (blockage: Blockage) => void
}

export interface LeaseThreadData extends Required<Pick<WatchOptions, 'tasks'>> {
  /** Counts the ticks of the main loop. */
  readonly ticks: Int32Array<SharedArrayBuffer>
  readonly stillness: Stillness['shared']
  readonly maxBlock: number
  readonly blackbox: number | undefined
  /** Somebody may hold the main thread at a breakpoint: then it is not blocked. */
  readonly debugged: boolean
}

/** To the thread: keep this worker's lease from now on. */
export interface LeaseOrder {
  readonly renewal: RenewalOptions
  /** Until when the lease is safe, monotonic ms. Shared, not sent: after a block, the main loop's timers run before its messages. */
  readonly safeUntil: BigInt64Array<SharedArrayBuffer>
}

export type LeaseMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'unblocked'; readonly blockage: Blockage }
  | { readonly kind: 'renewed' | 'held' | 'revoked'; readonly worker: number }
  | { readonly kind: 'failed'; readonly worker: number; readonly message: string }

export interface LeaseEvents {
  /** After each renewal; false: this worker must not claim now. */
  readonly onRenewed: (mayClaim: boolean) => void
  /** Once: everything this worker holds is, or may be, somebody else's. */
  readonly onLost: (why: string) => void
}

const TICK_MS = 250

/**
 * The thread that renews leases, one after the other: it is there, connected, before the first lease begins, and stays for the next
 * incarnation. Starting it anew takes longer than the shortest lease when a machine is busy.
 */
export class LeaseKeeper {
  readonly #maxBlock: number
  readonly #watch: WatchOptions
  /** Whether this process stood still a moment ago. */
  readonly stillness = new Stillness()
  readonly pulse = new Pulse()
  #thread: Thread | undefined
  #ready: Promise<void> | undefined
  #lease: Lease | undefined

  /** @param maxBlock ms that the event loop may be blocked, by code that has no limit, before the lease is given up. */
  constructor(maxBlock: number, watch: WatchOptions = {}) {
    this.#maxBlock = maxBlock
    this.#watch = watch
  }

  /** Resolves when the thread can renew without delay. Rejects when it cannot be started. */
  ready(): Promise<void> {
    this.#ready ??= this.#start()
    return this.#ready
  }

  /** Keeps a lease whose row has been written just now; `registeredAt` is when that statement was *sent*. */
  hold(renewal: RenewalOptions, registeredAt: number, events: LeaseEvents): Lease {
    const lease = new Lease({ ...events, worker: renewal.worker, ms: renewal.lease, registeredAt })
    this.#lease = lease
    this.#thread?.postMessage({ renewal, safeUntil: lease.safeUntil } satisfies LeaseOrder)
    return lease
  }

  /** Renews no more. */
  async close(): Promise<void> {
    this.#lease?.close()
    this.pulse.stop()
    await this.#thread?.terminate()
  }

  #start(): Promise<void> {
    const { blackbox, tasks = new Map() } = this.#watch
    const debugged = process.execArgv.some((flag) => flag.startsWith('--inspect'))
    const data: LeaseThreadData = {
      maxBlock: this.#maxBlock,
      ticks: this.pulse.ticks,
      stillness: this.stillness.shared,
      blackbox,
      tasks,
      debugged,
    }
    this.pulse.start()
    const file = import.meta.url.endsWith('.ts') ? './lease-thread.ts' : './lease-thread.js'
    const thread = new Thread(new URL(file, import.meta.url), { workerData: data, execArgv: [], stderr: false })
    this.#thread = thread
    return new Promise((resolve, reject) => {
      thread.on('message', (message: LeaseMessage) => {
        if (message.kind === 'unblocked') {
          this.pulse.told()
          return this.#watch.onUnblocked?.(message.blockage)
        }
        if (message.kind !== 'ready') return this.#lease?.hear(message)
        thread.unref()
        resolve()
      })
      thread.on('error', (error) => {
        this.#ready = undefined
        reject(error)
        this.#lease?.lose(`its renewal thread failed: ${error.message}`)
      })
    })
  }
}

interface LeaseSettings extends LeaseEvents {
  readonly worker: number
  readonly ms: number
  readonly registeredAt: number
}

/** One incarnation's lease, seen from the main thread. Time is measured here, never compared with the database's clock. */
export class Lease {
  readonly #settings: LeaseSettings
  readonly #timer: NodeJS.Timeout
  /** See `LeaseOrder`. */
  readonly safeUntil = new BigInt64Array(new SharedArrayBuffer(8))
  #trouble = ''
  #over = false

  constructor(settings: LeaseSettings) {
    this.#settings = settings
    Atomics.store(this.safeUntil, 0, BigInt(Math.floor(settings.registeredAt + settings.ms)))
    this.#timer = setInterval(() => this.#tick(), Math.min(TICK_MS, settings.ms / 8))
    this.#timer.unref()
  }

  /** False once the lease may have run out: then nothing may be started any more. */
  get held(): boolean {
    return !this.#over && this.#safe()
  }

  close(): void {
    this.#over = true
    clearInterval(this.#timer)
  }

  hear(message: Exclude<LeaseMessage, { kind: 'ready' | 'unblocked' }>): void {
    if (this.#over || message.worker !== this.#settings.worker) return
    if (message.kind === 'failed') {
      this.#trouble = message.message
      return
    }
    if (message.kind === 'revoked') return this.lose('it was revoked')
    this.#trouble = ''
    this.#settings.onRenewed(message.kind === 'renewed')
  }

  lose(why: string): void {
    if (this.#over) return
    this.close()
    this.#settings.onLost(why)
  }

  #tick(): void {
    if (this.#safe()) return
    this.lose(this.#trouble === '' ? 'it ran out before it was renewed' : `it could not be renewed: ${this.#trouble}`)
  }

  #safe(): boolean {
    return monotonic() < Number(Atomics.load(this.safeUntil, 0))
  }
}
