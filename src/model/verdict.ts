import { type ErrorCode, HoldfastError } from './errors.ts'
import { describeFailure, type Failure } from './failure.ts'
import type { Outcome } from './outcome.ts'
import { sanitizeText } from './text.ts'

/** Why a process of a worker must go because of one of its jobs. */
export type VerdictKind =
  /** Its code was still running at its hard limit. */
  | 'hard-limit'
  /** It made no progress for `stallAfter`, and did not stop when it was told to. */
  | 'stalled'
  /** It blocked the event loop for longer than a worker may be blocked, and has no limit of its own. */
  | 'blocked'
  /** Something that it had started threw, where nobody could catch it. */
  | 'exception'

/**
 * What a process says of its own death just before it: one line of JSON, written in one piece to a pipe, since its event loop may never
 * turn again. Whoever sees it die settles the job with it.
 */
export interface Verdict {
  readonly kind: VerdictKind
  /** Undefined: nobody knows which one it was. */
  readonly job?: CondemnedJob
  readonly message: string
  /** Where its code was, when that could be seen. */
  readonly stack?: string
  /** How long the event loop had been blocked by then, ms. */
  readonly blockedMs?: number
  /** The error that nobody caught. */
  readonly failure?: Failure
  /** Its retry policy does not list such an error. */
  readonly final?: boolean
}

export interface CondemnedJob {
  readonly id: string
  readonly run: number
  readonly task: string
  /** Before this run. */
  readonly failures: number
}

/** A pipe takes this much in one piece, whoever else writes to it. */
const MAX_LINE_BYTES = 16 * 1024
const MAX_STACK_BYTES = 6 * 1024
const MAX_MESSAGE_BYTES = 1_024

const CODES = {
  'hard-limit': 'HF_HARD_LIMIT',
  stalled: 'HF_STALLED',
  blocked: 'HF_BLOCKED',
} as const satisfies Record<Exclude<VerdictKind, 'exception'>, ErrorCode>

/** The error that the job of a verdict fails with; for an exception the one that was thrown, as far as it outlived its process. */
export function errorOfVerdict({ kind, message, stack, failure }: Verdict): object {
  if (kind === 'exception') return failure ?? { name: 'Error', message, stack }
  const error = new HoldfastError(CODES[kind], message)
  // Our own frames say nothing: what counts is where its code was.
  error.stack = `${error.name}: ${error.message}${stack === undefined ? '' : `\n${stack}`}`
  return error
}

/** How the run of a verdict has ended. */
export function outcomeOfVerdict(verdict: Verdict): Outcome & { kind: 'failed' } {
  return { kind: 'failed', error: errorOfVerdict(verdict), retry: 'policy' }
}

export function encodeVerdict(verdict: Verdict): string {
  const bounded = {
    ...verdict,
    message: sanitizeText(verdict.message, MAX_MESSAGE_BYTES),
    ...(verdict.stack !== undefined && { stack: sanitizeText(verdict.stack, MAX_STACK_BYTES) }),
  }
  const line = JSON.stringify(bounded)
  if (Buffer.byteLength(line) <= MAX_LINE_BYTES) return `${line}\n`
  const { stack: _, ...short } = bounded
  return `${JSON.stringify({ ...short, ...(verdict.failure && { failure: describeFailure(verdict.failure, 1_024) }) })}\n`
}

/** Undefined: the line is no verdict. What a dying process wrote is believed no further than its types. */
export function decodeVerdict(line: string): Verdict | undefined {
  try {
    const value = JSON.parse(line) as Verdict | null
    if (typeof value !== 'object' || value === null || !KINDS.has(value.kind)) return undefined
    if (typeof value.message !== 'string') return undefined
    return value.job === undefined || isJob(value.job) ? value : undefined
  } catch {
    return undefined
  }
}

const KINDS = new Set<unknown>(['hard-limit', 'stalled', 'blocked', 'exception'] satisfies VerdictKind[])

function isJob(job: CondemnedJob): boolean {
  return (
    typeof job === 'object' &&
    job !== null &&
    typeof job.id === 'string' &&
    Number.isInteger(job.run) &&
    typeof job.task === 'string' &&
    Number.isInteger(job.failures)
  )
}
