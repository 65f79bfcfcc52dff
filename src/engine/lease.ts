import { Worker as Thread } from 'node:worker_threads'
import type { RenewalOptions } from '../store/renewal.ts'
import { monotonic } from './monotonic.ts'

export interface LeaseThreadData {
  readonly renewal: RenewalOptions
  /** Counts the ticks of the main loop. */
  readonly ticks: Int32Array<SharedArrayBuffer>
  /** Until when the lease is safe, monotonic ms. Shared, not sent: after a block, the main loop's timers run before its messages. */
  readonly safeUntil: BigInt64Array<SharedArrayBuffer>
  readonly maxBlock: number
}

export type LeaseMessage =
  | { readonly kind: 'renewed' | 'held' | 'revoked' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'blocked' }

export interface LeaseOptions {
  readonly renewal: RenewalOptions
  /** ms that the event loop may be blocked before the lease is given up. */
  readonly maxBlock: number
  /** After each renewal; false: this worker must not claim now. */
  readonly onRenewed: (mayClaim: boolean) => void
  /** Once: everything this worker holds is, or may be, somebody else's. */
  readonly onLost: (why: string) => void
}

const TICK_MS = 250

/** A worker's lease, seen from the main thread. Time is measured here, never compared with the database's clock. */
export class Lease {
  readonly #options: LeaseOptions
  readonly #ticks = new Int32Array(new SharedArrayBuffer(4))
  readonly #thread: Thread
  readonly #timer: NodeJS.Timeout
  readonly #safeUntil = new BigInt64Array(new SharedArrayBuffer(8))
  #trouble = ''
  #over = false

  /** The row must have been written just now: `registeredAt` is when that statement was *sent*. */
  constructor(options: LeaseOptions, registeredAt: number) {
    this.#options = options
    Atomics.store(this.#safeUntil, 0, BigInt(Math.floor(registeredAt + options.renewal.lease)))
    const { renewal, maxBlock } = options
    const data: LeaseThreadData = { renewal, maxBlock, ticks: this.#ticks, safeUntil: this.#safeUntil }
    const file = import.meta.url.endsWith('.ts') ? './lease-thread.ts' : './lease-thread.js'
    this.#thread = new Thread(new URL(file, import.meta.url), { workerData: data, execArgv: [], stderr: false })
    this.#thread.on('message', (message: LeaseMessage) => this.#hear(message))
    this.#thread.on('error', (error) => this.#lose(`its renewal thread failed: ${error.message}`))
    this.#thread.unref()
    this.#timer = setInterval(() => this.#tick(), Math.min(TICK_MS, options.renewal.lease / 8))
    this.#timer.unref()
  }

  /** False once the lease may have run out: then nothing may be started any more. */
  get held(): boolean {
    return !this.#over && this.#safe()
  }

  async close(): Promise<void> {
    this.#over = true
    clearInterval(this.#timer)
    await this.#thread.terminate()
  }

  #tick(): void {
    Atomics.add(this.#ticks, 0, 1)
    if (this.#safe()) return
    this.#lose(this.#trouble === '' ? 'it ran out before it was renewed' : `it could not be renewed: ${this.#trouble}`)
  }

  #safe(): boolean {
    return monotonic() < Number(Atomics.load(this.#safeUntil, 0))
  }

  #hear(message: LeaseMessage): void {
    if (this.#over) return
    if (message.kind === 'failed') {
      this.#trouble = message.message
      return
    }
    if (message.kind === 'blocked') return
    if (message.kind === 'revoked') return this.#lose('it was revoked')
    this.#trouble = ''
    this.#options.onRenewed(message.kind === 'renewed')
  }

  #lose(why: string): void {
    if (this.#over) return
    this.#over = true
    clearInterval(this.#timer)
    void this.#thread.terminate()
    this.#options.onLost(why)
  }
}
