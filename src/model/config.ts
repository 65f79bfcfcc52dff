import { type Duration, formatDuration } from './duration.ts'
import { HoldfastError } from './errors.ts'
import { checkChoice, checkDuration, checkInteger, checkKeys } from './options.ts'
import { show } from './show.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const DAY = 1_440 * MINUTE

/**
 * What running jobs do at a stop signal. `'hand-off'`: what can resume or restart goes to other workers at once, the rest
 * runs on until the budget is used. `'finish'`: everything runs on until then. `'cold'`: everything stops at once.
 */
export const SHUTDOWN_MODES = ['hand-off', 'finish', 'cold'] as const
export type ShutdownMode = (typeof SHUTDOWN_MODES)[number]

/** What a user may say about a worker. */
export interface ConfigOptions {
  /** How long a worker keeps its jobs after its last sign of life: '2s' to '10m', default '12s'. */
  readonly lease?: Duration | undefined
  /** Jobs that one worker process runs at the same time: 1 to 10000, default 100. */
  readonly concurrency?: number | undefined
  /** How often an idle worker looks for jobs that no notification told it of: '50ms' to '1m', default '1s'. */
  readonly pollInterval?: Duration | undefined
  readonly shutdown?:
    | {
        /** What the platform leaves between its stop signal and SIGKILL: '0s' to '7d', default '30s'. */
        readonly grace?: Duration | undefined
        /** Default 'hand-off'. */
        readonly mode?: ShutdownMode | undefined
        /** Another mode for one of the stop signals: `{ SIGINT: 'cold' }`. HOLDFAST_SIGTERM overrides what is said of SIGTERM. */
        readonly signals?:
          | { readonly SIGTERM?: ShutdownMode | undefined; readonly SIGINT?: ShutdownMode | undefined }
          | undefined
      }
    | undefined
  readonly policy?:
    | {
        /** The longest time limit of a task that may not be interrupted: at most the shutdown budget. Default: '60s' or the budget. */
        readonly maxFinish?: Duration | undefined
        /** A task that may run for longer and cannot resume is named when the worker starts: '1s' to '365d', default '15m'. */
        readonly maxRun?: Duration | undefined
        /** Ready jobs that no live worker takes for longer are named: '1s' to '1d', default '60s'. */
        readonly maxUnserved?: Duration | undefined
      }
    | undefined
  readonly history?:
    | {
        /** Keep completed jobs. Default true. */
        readonly completed?: boolean | undefined
        /** How long ended jobs are kept: '1d' to '3650d', default '30d'. */
        readonly keep?: Duration | undefined
      }
    | undefined
}

/** The same, checked and complete. All times are milliseconds. */
export interface ResolvedConfig {
  readonly leaseMs: number
  readonly concurrency: number
  readonly pollIntervalMs: number
  readonly shutdown: {
    readonly mode: ShutdownMode
    readonly signals: Readonly<Record<'SIGTERM' | 'SIGINT', ShutdownMode>>
    readonly graceMs: number
    /** From the stop signal until every job is let go: the grace without a margin for settling and leaving. */
    readonly budgetMs: number
    /** How long of it jobs may run on: nothing where the grace is so short that releasing them may take all of it. */
    readonly waitMs: number
  }
  /** 0: no task fits that may not be interrupted. */
  readonly maxFinishMs: number
  readonly maxRunMs: number
  readonly maxUnservedMs: number
  readonly history: { readonly completed: boolean; readonly keepMs: number }
}

const KEYS = ['lease', 'concurrency', 'pollInterval', 'shutdown', 'policy', 'history'] as const
const MAX_FINISH = MINUTE
const SHORT_GRACE = 5 * SECOND

/** @throws {HoldfastError} HF_CONFIG or HF_DURATION; the message names the option, the value and what it takes. */
export function resolveConfig(options: ConfigOptions = {}): ResolvedConfig {
  const given = checkKeys(options, KEYS, 'The configuration')
  const shutdown = resolveShutdown(given.shutdown ?? {})
  return Object.freeze({
    leaseMs: checkDuration(given.lease ?? '12s', 2 * SECOND, 10 * MINUTE, 'lease'),
    concurrency: checkInteger(given.concurrency ?? 100, 1, 10_000, 'concurrency'),
    pollIntervalMs: checkDuration(given.pollInterval ?? '1s', 50, MINUTE, 'pollInterval'),
    shutdown,
    ...resolvePolicy(given.policy ?? {}, shutdown),
    history: resolveHistory(given.history ?? {}),
  })
}

function resolveHistory(options: NonNullable<ConfigOptions['history']>): ResolvedConfig['history'] {
  const { completed = true, keep } = checkKeys(options, ['completed', 'keep'], 'history')
  if (typeof completed !== 'boolean') {
    throw new HoldfastError('HF_CONFIG', `history.completed must be true or false, not ${show(completed)}`)
  }
  return Object.freeze({ completed, keepMs: checkDuration(keep ?? '30d', DAY, 3_650 * DAY, 'history.keep') })
}

/** @param what where it was said: the app's option, or HOLDFAST_GRACE */
export function checkGrace(grace: Duration, what: string): number {
  return checkDuration(grace, 0, 7 * DAY, what)
}

function resolveShutdown(options: NonNullable<ConfigOptions['shutdown']>): ResolvedConfig['shutdown'] {
  const { grace, mode: given, signals = {} } = checkKeys(options, ['grace', 'mode', 'signals'], 'shutdown')
  const mode = checkChoice(given ?? 'hand-off', SHUTDOWN_MODES, 'shutdown.mode')
  const { SIGTERM = mode, SIGINT = mode } = checkKeys(signals, ['SIGTERM', 'SIGINT'], 'shutdown.signals')
  const graceMs = checkGrace(grace ?? '30s', 'shutdown.grace')
  const budgetMs = shutdownBudget(graceMs)
  return Object.freeze({
    mode,
    signals: Object.freeze({
      SIGTERM: checkChoice(SIGTERM, SHUTDOWN_MODES, 'shutdown.signals.SIGTERM'),
      SIGINT: checkChoice(SIGINT, SHUTDOWN_MODES, 'shutdown.signals.SIGINT'),
    }),
    graceMs,
    budgetMs,
    waitMs: graceMs <= SHORT_GRACE ? 0 : budgetMs,
  })
}

/** The grace less a margin of a tenth, at least a second: to settle, close connections and exit before SIGKILL. Milliseconds. */
export function shutdownBudget(graceMs: number): number {
  return Math.max(0, Math.floor(graceMs - Math.max(SECOND, graceMs / 10)))
}

/** The grace that leaves a budget of `budgetMs`. */
export function graceFor(budgetMs: number): number {
  return Math.ceil(Math.max(budgetMs + SECOND, budgetMs / 0.9) / SECOND) * SECOND
}

function resolvePolicy(
  options: NonNullable<ConfigOptions['policy']>,
  shutdown: ResolvedConfig['shutdown'],
): Pick<ResolvedConfig, 'maxFinishMs' | 'maxRunMs' | 'maxUnservedMs'> {
  const { maxFinish, maxRun, maxUnserved } = checkKeys(options, ['maxFinish', 'maxRun', 'maxUnserved'], 'policy')
  const maxRunMs = checkDuration(maxRun ?? '15m', SECOND, 365 * DAY, 'policy.maxRun')
  const maxUnservedMs = checkDuration(maxUnserved ?? '60s', SECOND, DAY, 'policy.maxUnserved')
  return { maxFinishMs: resolveMaxFinish(maxFinish, shutdown), maxRunMs, maxUnservedMs }
}

function resolveMaxFinish(maxFinish: Duration | undefined, shutdown: ResolvedConfig['shutdown']): number {
  const { graceMs, budgetMs } = shutdown
  if (maxFinish === undefined) return Math.min(MAX_FINISH, budgetMs)
  const ms = checkDuration(maxFinish, 0, 7 * DAY, 'policy.maxFinish')
  if (ms <= budgetMs) return ms
  const budget = `the shutdown budget, ${formatDuration(budgetMs)} of a grace of ${formatDuration(graceMs)}`
  throw new HoldfastError(
    'HF_CONFIG',
    `policy.maxFinish is ${show(maxFinish)}, longer than ${budget}: raise shutdown.grace`,
  )
}
