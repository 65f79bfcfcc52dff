import type { CaseResult } from './result.ts'
import type { Server } from './server.ts'

/** What a case is given. */
export interface Bench {
  readonly server: Server
  /** Interleaved pairs, or repeats of what has no pair. */
  readonly pairs: number
  /** A smoke run: everything once, small, no figure to be quoted. */
  readonly quick: boolean
  /** Length of the `snapshot` case, ms. */
  readonly hold: number
  /** A line of progress, for people. */
  readonly say: (line: string) => void
}

export interface BenchCase {
  readonly name: string
  readonly what: string
  /** It compares with the other systems, which must be installed first. */
  readonly rivals: boolean
  readonly run: (bench: Bench) => Promise<CaseResult>
}
