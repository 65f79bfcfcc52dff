import type { Death } from '../../model/death.ts'
import type { Order, Report } from './messages.ts'

/** What carries orders into a process or thread, and what it says out of it. */
export interface Transport {
  /** How it is named in the log. */
  readonly name: string
  send(order: Order): void
  /** Where the code is that runs now; undefined: it cannot be told, or not within `ms`. */
  stack(ms: number): Promise<string | undefined>
  /** Ends it by force, with everything that it started. `onDeath` follows. */
  kill(): void
}

export interface TransportEvents {
  readonly onReport: (report: Report) => void
  readonly onOutput: (stream: OutputStream, text: string) => void
  /** Once, after its last output. */
  readonly onDeath: (death: Death) => void
}

export type OutputStream = 'stdout' | 'stderr'

export interface TransportOptions {
  /** The program, which runs in processes and threads alike. */
  readonly entry: URL
  readonly heapMb: number | undefined
}
