import { hostname } from 'node:os'
import { type Drained, drain } from './deploy/drain.ts'
import type { TaskRules } from './deploy/supervisor/messages.ts'
import { rulesOf } from './deploy/supervisor/rules.ts'
import { jobTemplate, newJobNow } from './engine/new-job.ts'
import { ormTransactions, pgTransactions } from './engine/transactions.ts'
import { Worker } from './engine/worker.ts'
import { type AppInternals, appOf } from './internals.ts'
import type { ResolvedConfig, ShutdownMode } from './model/config.ts'
import { HoldfastError } from './model/errors.ts'
import { checkInteger, checkKeys } from './model/options.ts'
import type { InterruptReason } from './model/outcome.ts'
import { RELEASE } from './release.ts'
import { migrate, requireSchema, schemaState } from './store/migrate.ts'
import { type LogLine, logTo } from './surfaces/log.ts'
import type { Work, WorkOptions } from './tasks/app.ts'
import type { TaskDefinition } from './tasks/definition.ts'
import { checkQueue } from './tasks/queues.ts'

/** A worker that runs in this process. */
export interface RunningWorker extends Work {
  /** This worker's key in the database; it changes when a lease was lost. */
  readonly key: number | undefined
  readonly name: string
  readonly queues: readonly string[]
  readonly concurrency: number
  readonly config: ResolvedConfig
  /** Runs in progress. */
  readonly running: number
  /** Whether it takes jobs now. */
  readonly claiming: boolean
  /** How many runs ended, by what was written of them. */
  readonly settled: Readonly<Record<string, number>>
  /** How often jobs that get nowhere were named, by kind. */
  readonly worries: Readonly<Record<string, number>>
  /** What somebody else needs to settle a job of a task. */
  readonly rules: Readonly<Record<string, TaskRules>>
  /** Takes no more jobs, and lets those that run go on; their number can be asked for. */
  hush(): void
  /** Empties the worker within the shutdown budget and leaves. Resolves with what became of its runs. */
  shutdown(options?: { reason?: InterruptReason; mode?: ShutdownMode }): Promise<Drained>
}

export interface StartOptions extends WorkOptions<string> {
  readonly log?: (line: LogLine) => void
  readonly build?: string
  /** A supervisor gives the jobs back that this process could not, once it is gone. */
  readonly supervised?: boolean
}

const MAX_BLOCK_MS = 5 * 60_000
const CHECKPOINT_EVERY_MS = 1_000

/**
 * The composition root of a worker: from an app to a running engine.
 * @throws the reason of `signal`, when it aborts before the worker has registered: then nothing was claimed and nothing is left behind
 */
export async function startWork(app: unknown, options: StartOptions = {}): Promise<RunningWorker> {
  const internals = appOf(app)
  if (internals === undefined)
    throw new HoldfastError('HF_CONFIG', 'This is no app: give what `jobs.app({ tasks })` returned.')
  const { client } = internals
  const {
    queues: chosen,
    concurrency,
    signal,
    log = logTo(process.stdout),
    build,
    supervised = false,
  } = checkKeys(options, ['queues', 'concurrency', 'signal', 'log', 'build', 'supervised'], 'work()')
  const config = internals.configure(process.env['HOLDFAST_GRACE'])
  const slots =
    concurrency === undefined ? config.concurrency : checkInteger(concurrency, 1, 10_000, 'concurrency of work()')

  const { db } = await client.connection.open()
  signal?.throwIfAborted()
  await migrateSafely(db)
  signal?.throwIfAborted()
  const idleTimeout = Math.max(500, (config.leaseMs * 2) / 3)
  const names = new Set(client.queues.keys())
  const name = `${hostname()}:${process.pid}`
  const queues = queueLimits(client.queues, chosen, names, slots)
  const tasks = tasksByName(internals, config)
  const worker = new Worker({
    db,
    listenUrl: listenUrlFor(db.url),
    name,
    build: build ?? process.env['HOLDFAST_BUILD'] ?? 'unknown',
    release: RELEASE,
    tasks,
    queues,
    transactions: client.transactions
      ? ormTransactions(db, client.transactions, idleTimeout)
      : pgTransactions(db, idleTimeout),
    newJob: (what, input, how) => newJobNow(jobTemplate(what, how, names, client.maxInputBytes, 'ctx.enqueue'), input),
    concurrency: slots,
    supervised,
    lease: config.leaseMs,
    pollInterval: config.pollIntervalMs,
    maxBlock: MAX_BLOCK_MS,
    checkpointEvery: CHECKPOINT_EVERY_MS,
    keepCompleted: config.history.completed,
    historyKeep: config.history.keepMs,
    log: (level, message, data) => log({ level, message, ...data }),
  })

  let started: Promise<void> | undefined
  let ending: Promise<Drained> | undefined
  const shutdown: RunningWorker['shutdown'] = ({ reason = 'deploy', mode = config.shutdown.mode } = {}) => {
    ending ??= (async () => {
      // A registration in flight lands first, or its lease would outlive this worker; it claims nothing any more.
      void worker.stopClaiming()
      await started?.catch(() => {})
      const { budgetMs, waitMs, graceMs } = config.shutdown
      const drained = await drain(worker, { mode, reason, budget: budgetMs, wait: waitMs })
      await worker.close(Math.max(300, (graceMs - budgetMs) * 0.7))
      return drained
    })()
    return ending
  }
  signal?.addEventListener('abort', () => void shutdown(), { once: true })
  started = worker.start()
  await started
  return {
    get key() {
      return worker.key
    },
    get running() {
      return worker.attempts.size
    },
    get claiming() {
      return worker.claiming
    },
    get settled() {
      return worker.settled
    },
    get worries() {
      return worker.worries
    },
    rules: rulesOf(tasks),
    hush: () => void worker.stopClaiming(),
    name,
    queues: [...queues.keys()],
    concurrency: slots,
    config,
    shutdown,
    drain: async () => {
      await worker.stopClaiming()
      await worker.quiet()
    },
    [Symbol.asyncDispose]: async () => {
      await shutdown()
    },
  }
}

/** Migrations that only add are applied by whoever starts first; one that breaks older code waits for `holdfast migrate`. */
async function migrateSafely(db: Parameters<typeof migrate>[0]): Promise<void> {
  const { pending } = await schemaState(db)
  if (pending.length > 0 && pending.every((migration) => migration.kind === 'additive')) await migrate(db, RELEASE)
  await requireSchema(db)
}

/** By every name that a job may carry. A task that must finish has a limit, for a shutdown must be able to wait for it. */
function tasksByName({ registry }: AppInternals, config: ResolvedConfig): ReadonlyMap<string, TaskDefinition> {
  const finishLimit = { soft: config.maxFinishMs, hard: config.maxFinishMs }
  const limited = (task: TaskDefinition): TaskDefinition =>
    task.interrupt === 'finish' && task.timeLimit === undefined && config.maxFinishMs > 0
      ? { ...task, timeLimit: finishLimit }
      : task
  return new Map(
    registry.tasks.map(limited).flatMap((task) => [task.name, ...task.aliases].map((name) => [name, task] as const)),
  )
}

function queueLimits(
  declared: AppInternals['client']['queues'],
  chosen: readonly string[] | undefined,
  names: ReadonlySet<string>,
  slots: number,
): ReadonlyMap<string, number> {
  const queues = (chosen ?? [...names]).map((queue) => checkQueue(queue, names, 'work()'))
  return new Map(queues.map((queue) => [queue, Math.min(slots, declared.get(queue)?.concurrency ?? slots)]))
}

/** LISTEN needs a session, and renewals must not wait for one: behind a pooler, HOLDFAST_LISTEN_URL names the server itself, or is `off`. */
function listenUrlFor(url: string): string | undefined {
  const direct = process.env['HOLDFAST_LISTEN_URL']
  return direct === 'off' ? undefined : direct || url
}
