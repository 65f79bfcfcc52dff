import { hostname } from 'node:os'
import path from 'node:path'
import { type Drained, drain } from './deploy/drain.ts'
import { replaceProcess } from './deploy/replace.ts'
import { tellBlackbox } from './engine/blackbox.ts'
import type { Boot } from './engine/isolation/messages.ts'
import type { StoppedPolicy } from './engine/settle-verdict.ts'
import { stoppedPolicy } from './engine/watched.ts'
import { Worker } from './engine/worker.ts'
import type { WorkerOptions } from './engine/worker-options.ts'
import { type AppInternals, appOf } from './internals.ts'
import { limitedTasks } from './limited-tasks.ts'
import { listenUrlFor } from './listen-url.ts'
import type { ResolvedConfig, ShutdownMode } from './model/config.ts'
import { HoldfastError } from './model/errors.ts'
import { checkInteger, checkKeys } from './model/options.ts'
import type { InterruptReason } from './model/outcome.ts'
import type { Unserved } from './model/unserved.ts'
import type { Verdict } from './model/verdict.ts'
import { RELEASE } from './release.ts'
import { runPorts } from './run-ports.ts'
import { crowdedQueues } from './store/claims.ts'
import { migrate, requireSchema, schemaState } from './store/migrate.ts'
import { type LogLine, logTo } from './surfaces/log.ts'
import type { Work, WorkOptions } from './tasks/app.ts'
import { manifestOf } from './tasks/manifest.ts'
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
  /** What became of the runs that ended since the stop. */
  readonly leaving: { readonly handedOff: number; readonly finished: number }
  /** How often jobs that get nowhere were named, by kind. */
  readonly worries: Readonly<Record<string, number>>
  /** Ready jobs that no live worker takes, for too long; empty where another worker looks. */
  readonly unserved: readonly Unserved[]
  /** What somebody else needs to settle a job of a task. */
  readonly policies: Readonly<Record<string, StoppedPolicy>>
  /** Takes no more jobs, and lets those that run go on; their number can be asked for. */
  hush(): void
  /**
   * For the handler of an error that nobody caught: the job whose code raised it fails with it. This worker should go then.
   * Undefined: it was nobody's, or of a run that has ended.
   */
  blame(error: unknown): { readonly id: string; readonly task: string; readonly run: number } | undefined
  /** Empties the worker within the shutdown budget and leaves. Resolves with what became of its runs. */
  shutdown(options?: { reason?: InterruptReason; mode?: ShutdownMode }): Promise<Drained>
}

export interface StartOptions extends WorkOptions<string> {
  readonly log?: (line: LogLine) => void
  readonly build?: string
  /** Which app this is, where several share a database: for `deploy prepare --app`. */
  readonly name?: string | undefined
  /** The token of the deploy whose new code this is: that deploy does not hold it. */
  readonly deploy?: string | undefined
  /**
   * File descriptor on which a supervisor hears why this process dies. With one, the supervisor also gives the jobs back that this process
   * could not, once it is gone.
   */
  readonly blackbox?: number | undefined
  /** ms that code which has no limit may block the event loop. Default: five minutes. */
  readonly maxBlock?: number
  /** Whether that supervisor is gone. */
  readonly orphaned?: () => boolean
  /** This process ends when its worker has: what still runs then dies with it. Default false: it is let to its end, and keeps its lease. */
  readonly exits?: boolean
  /** Ends this process at once. Default: `process.exit`. */
  readonly exit?: (code: number) => void
}

const OPTIONS = [
  ...[
    'queues',
    'concurrency',
    'signal',
    'appFile',
    'log',
    'build',
    'name',
    'deploy',
    'blackbox',
    'orphaned',
    'maxBlock',
    'exits',
    'exit',
  ],
] as const
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
    blackbox,
    orphaned,
    maxBlock = MAX_BLOCK_MS,
    name: appName,
    deploy,
    exits = false,
    exit = (code: number) => process.exit(code),
    appFile,
  } = checkKeys(options, OPTIONS, 'work()')
  const config = internals.configure(process.env['HOLDFAST_GRACE'])
  const slots =
    concurrency === undefined ? config.concurrency : checkInteger(concurrency, 1, 10_000, 'concurrency of work()')

  const tasks = limitedTasks(internals, config, (message) => log({ level: 'warn', message }))

  const { db } = await client.connection.open()
  signal?.throwIfAborted()
  await migrateSafely(db)
  signal?.throwIfAborted()
  const idleTimeout = Math.max(500, (config.leaseMs * 2) / 3)
  const names = new Set(client.queues.keys())
  const name = `${hostname()}:${process.pid}`
  const queues = queueLimits(client.queues, chosen, names, slots)
  const say: WorkerOptions['log'] = (level, message, data) => log({ level, message, ...data })
  let condemned = false
  const condemn = (verdict: Verdict): void => {
    tellBlackbox(blackbox, verdict)
    const first = !condemned
    condemned = true
    // What threw where nobody could catch it has ended: whoever heard of it empties this worker, in its own time.
    if (!first || ending !== undefined || verdict.kind === 'exception') return
    void replaceProcess(worker, {
      verdict,
      supervised: blackbox !== undefined,
      patience: config.shutdown.budgetMs,
      log: say,
      exit,
    })
  }
  const worker: Worker = new Worker({
    db,
    listenUrl: listenUrlFor(db.url),
    name,
    build: build ?? process.env['HOLDFAST_BUILD'] ?? 'unknown',
    release: RELEASE,
    app: appName,
    token: deploy,
    manifest: manifestOf([...new Set(tasks.values())], config),
    tasks,
    queues,
    ...runPorts(client, db, idleTimeout),
    isolation: isolationOf(internals, appFile, {
      url: db.url,
      schema: db.schema,
      idleTimeout,
      keepCompleted: config.history.completed,
      checkpointEvery: CHECKPOINT_EVERY_MS,
    }),
    concurrency: slots,
    lease: config.leaseMs,
    maxRun: config.maxRunMs,
    maxUnserved: config.maxUnservedMs,
    pollInterval: config.pollIntervalMs,
    blackbox,
    orphaned,
    onCondemned: condemn,
    maxBlock,
    checkpointEvery: CHECKPOINT_EVERY_MS,
    keepCompleted: config.history.completed,
    historyKeep: config.history.keepMs,
    log: say,
  })

  let started: Promise<void> | undefined
  let ending: Promise<Drained> | undefined
  const shutdown: RunningWorker['shutdown'] = ({ reason = 'deploy', mode = config.shutdown.mode } = {}) => {
    ending ??= (async () => {
      // A registration in flight lands first, or its lease would outlive this worker; it claims nothing any more.
      void worker.stopClaiming()
      await started?.catch(() => {})
      const { budgetMs, waitMs, graceMs } = config.shutdown
      const drained = await drain(worker, {
        mode,
        reason: condemned ? 'replace' : reason,
        budget: budgetMs,
        wait: waitMs,
        crowded: async (queues) => (worker.key === undefined ? [] : crowdedQueues(db, worker.key, queues)),
      })
      await worker.close({ patience: Math.max(300, (graceMs - budgetMs) * 0.7), exits })
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
    get leaving() {
      return worker.leaving
    },
    get worries() {
      return worker.worries
    },
    get unserved() {
      return worker.unserved
    },
    policies: Object.fromEntries([...tasks].map(([task, definition]) => [task, stoppedPolicy(definition)])),
    hush: () => void worker.stopClaiming(),
    name,
    queues: [...queues.keys()],
    concurrency: slots,
    config,
    blame: (error) => worker.blame(error),
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

/** Also without a task that asks for it: a suspect runs alone. */
function isolationOf({ registry }: AppInternals, appFile: string | undefined, boot: Omit<Boot, 'appFile'>) {
  if (appFile !== undefined) {
    const program = import.meta.url.endsWith('.ts') ? './isolated.ts' : './isolated.js'
    return { entry: new URL(program, import.meta.url), boot: { ...boot, appFile: path.resolve(appFile) } }
  }
  const isolated = registry.tasks.find((task) => task.isolate !== undefined)
  if (isolated === undefined) return undefined
  throw new HoldfastError(
    'HF_ISOLATE',
    `Task ${isolated.name} has \`isolate\`, and this worker does not know the file of its app.`,
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
