import type { Drained } from '../deploy/drain.ts'
import { onQuietSignal } from '../deploy/signals.ts'
import { SHUTDOWN_MODES, type ShutdownMode } from '../model/config.ts'
import { formatDuration } from '../model/duration.ts'
import { checkChoice } from '../model/options.ts'
import type { InterruptReason } from '../model/outcome.ts'
import { RELEASE } from '../release.ts'
import { type LogLine, logTo } from '../surfaces/log.ts'
import { type RunningWorker, startWork } from '../worker.ts'
import { appName } from './app-name.ts'
import { buildId } from './build-id.ts'
import { type LoadedApp, loadApp } from './config.ts'
import { deployToken } from './deploy-token.ts'
import { EXIT, messageOf, reportFailure } from './failure.ts'
import { plural } from './format.ts'
import { exit } from './output.ts'
import { placeOf } from './session.ts'
import { Stop } from './stop.ts'
import { SupervisorLine } from './supervised.ts'
import { concurrencyOf, type WorkCommandOptions } from './work-options.ts'

type Log = (line: LogLine) => void

/** What a start may still take after a stop signal: to land where it can be left without a trace. */
const START_PATIENCE_MS = 5_000
/** Leaving the embedded server, which the last process stops. */
const CLOSE_PATIENCE_MS = 3_000
/** The last moment before the platform's SIGKILL at which a last line can still be written, and jobs be released by the supervisor. */
const LAST_CALL_MS = 400
/** Where the platform leaves nothing, or is not known to leave anything: enough to hand off what waits for nobody. */
const LEAST_MS = 500
/** Then there is no time for a supervisor that does not listen. */
const LAST_WORD_MS = 50
/** During a long drain. */
const PROGRESS_EVERY_MS = 30_000

/** One worker process. It is started by `supervise`; by hand, it is a worker without a supervisor. */
export async function work(options: WorkCommandOptions): Promise<number> {
  const log = logTo(process.stdout, options.json ? 'structured' : undefined)
  let worker: RunningWorker | undefined
  let quiet = false
  const hush = (): void => {
    quiet = true
    worker?.hush()
  }
  const line = new SupervisorLine((reason) => stop.request(reason), hush)
  onQuietSignal(hush)
  const stop = new Stop((reason, leftMs) => {
    // A signal to the whole group reaches the supervisor as well, which speaks for all.
    if (line.open) return
    const runs = worker?.running ?? 0
    log({
      level: 'info',
      message: `${reason} again: ${plural(runs, 'run')} left to hand off, ${formatDuration(leftMs)} left for it`,
      runs,
      leftMs: Math.round(leftMs),
    })
  })
  const concurrency = concurrencyOf(options.concurrency)
  const failed = watchFailures(stop, log, () => worker)
  const build = buildId(options.build)
  build.catch(() => {}) // awaited below
  const loaded = await unlessStopped(stop, loadApp(options.config), 0)
  if (loaded === undefined) return leave(line)
  sigtermMode()
  stop.graceMs = loaded.internals.configure(process.env['HOLDFAST_GRACE']).shutdown.graceMs
  // Only of the start: a stop later on is carried out here, in the mode of its signal.
  const cut = new AbortController()
  const cutStart = (): void => cut.abort(stop.signal.reason)
  stop.signal.addEventListener('abort', cutStart)
  const starting = startWork(loaded.app, {
    log,
    build: await build,
    signal: cut.signal,
    blackbox: line.blackbox,
    orphaned: () => line.orphaned,
    exits: true,
    appFile: loaded.file,
    name: appName(loaded.file),
    deploy: deployToken(loaded.file),
    ...(options.queues !== undefined && { queues: options.queues.split(',').map((name) => name.trim()) }),
    ...(concurrency !== undefined && { concurrency }),
  })
  worker = await unlessStopped(stop, starting, Math.min(START_PATIENCE_MS, stop.budgetLeftMs))
  if (worker === undefined) {
    await close(loaded, stop)
    return leave(line)
  }
  // Its first claim may be on its way: what that takes is given back.
  if (quiet) worker.hush()
  stop.signal.removeEventListener('abort', cutStart)
  await announce(log, line, worker, loaded, await build)
  await stopped(stop.signal)
  line.stopping()
  line.tell(worker)
  const drained = await shutDown(log, line, worker, stop)
  line.tell(worker)
  await close(loaded, stop)
  await line.end(drained)
  return failed() ? EXIT.failed : EXIT.ok
}

/** What `work` gives; undefined when a stop came first, and `work` did not end in `patience` ms after it. */
async function unlessStopped<T>(stop: Stop, work: Promise<T>, patience: number): Promise<T | undefined> {
  const cut = stopped(stop.signal).then(() => (patience > 0 ? pause(Math.min(patience, stop.leftMs)) : undefined))
  try {
    return await Promise.race([work, cut.then(() => undefined)])
  } catch (error) {
    if (stop.signal.aborted) return undefined
    throw error
  }
}

async function leave(line: SupervisorLine): Promise<number> {
  await line.end(undefined)
  return EXIT.ok
}

async function announce(
  log: Log,
  line: SupervisorLine,
  worker: RunningWorker,
  loaded: LoadedApp,
  build: string,
): Promise<void> {
  const { name, key, queues, concurrency, config } = worker
  const { db } = await loaded.internals.client.connection.open()
  // First of all: whoever reads the line may kill this process the next moment, and then the supervisor must know that it had started.
  line.begin(worker, db.url, db.schema)
  log({
    level: 'info',
    message: 'Worker started',
    event: 'started',
    pid: process.pid,
    worker: name,
    key,
    build,
    release: RELEASE,
    queues: queues.join(','),
    concurrency,
    database: placeOf(loaded, db.url),
    schema: db.schema,
    grace: formatDuration(config.shutdown.graceMs),
    budget: formatDuration(config.shutdown.budgetMs),
  })
}

async function shutDown(log: Log, line: SupervisorLine, worker: RunningWorker, stop: Stop): Promise<Drained> {
  const begun = performance.now()
  const { budgetMs } = worker.config.shutdown
  const runs = worker.running
  const text = `Stopping by ${stop.reason}: ${plural(runs, 'run')} to hand off within ${formatDuration(budgetMs)}`
  log({ level: 'info', message: text, event: 'stopping', runs, budgetMs })
  // Whatever hangs now, the process is gone before the platform kills it: then its lease runs out, and others take its jobs.
  const late = (): void => {
    const drained = { left: worker.running, ...worker.leaving, ms: performance.now() - begun }
    void lastWord(log, line, drained)
  }
  const lastCall = setTimeout(late, Math.max(LEAST_MS, stop.leftMs - LAST_CALL_MS))
  const progress = setInterval(() => reportDrain(log, worker, stop), PROGRESS_EVERY_MS)
  const { shutdown } = worker.config
  const drained = await worker.shutdown({ mode: modeOf(stop.reason, shutdown), reason: interruptReasonOf(stop.reason) })
  clearInterval(progress)
  clearTimeout(lastCall)
  return drained
}

/** By the signal that it was stopped with; what stops it otherwise (an orphan, an exception) has the app's mode. */
function modeOf(reason: string, { mode, signals }: RunningWorker['config']['shutdown']): ShutdownMode {
  if (reason === 'SIGTERM') return sigtermMode() ?? signals.SIGTERM
  return reason === 'SIGINT' ? signals.SIGINT : mode
}

/** A stop signal is a deploy until somebody says otherwise: platforms send the same one for all that they want. */
function interruptReasonOf(reason: string): InterruptReason {
  return reason === 'SIGTERM' || reason === 'SIGINT' ? 'deploy' : 'drain'
}

/** @throws {HoldfastError} HF_CONFIG */
function sigtermMode(): ShutdownMode | undefined {
  const mode = process.env['HOLDFAST_SIGTERM']
  return mode ? checkChoice(mode, SHUTDOWN_MODES, 'HOLDFAST_SIGTERM') : undefined
}

/** A drain of hours must not look like a worker that hangs. */
function reportDrain(log: Log, worker: RunningWorker, stop: Stop): void {
  const runs = worker.running
  const message = `Still draining: ${plural(runs, 'run')} to end, ${formatDuration(stop.leftMs)} left for it`
  log({ level: 'info', message, event: 'draining', runs, leftMs: Math.round(stop.leftMs) })
}

async function lastWord(log: Log, line: SupervisorLine, drained: Drained): Promise<void> {
  const { left } = drained
  log({
    level: 'warn',
    message: `Out of time with ${plural(left, 'run')}: their jobs are released when this process is gone`,
    event: 'late',
    left,
  })
  await line.end(drained, { patience: LAST_WORD_MS, late: true })
  await exit(EXIT.ok)
}

async function close(loaded: LoadedApp, stop: Stop): Promise<void> {
  const closing = loaded.app.jobs.close().catch(() => {})
  await Promise.race([closing, pause(Math.min(CLOSE_PATIENCE_MS, Math.max(0, stop.leftMs - LAST_CALL_MS)))])
}

/**
 * After an exception that nobody caught, the state of this process is unknown: it says what it knows, hands off and leaves with 1.
 * @returns whether it happened.
 */
function watchFailures(stop: Stop, log: Log, worker: () => RunningWorker | undefined): () => boolean {
  let failed = false
  const fail = (kind: string) => (error: unknown) => {
    failed = true
    if (worker() === undefined && !stop.signal.aborted) return void exit(reportFailure(error, false))
    const stack = error instanceof Error ? error.stack : undefined
    // The job whose code it was fails with it, whatever becomes of its run.
    const job = worker()?.blame(error)
    log({
      ...{ level: 'error', message: `${kind}: ${messageOf(error)}`, stack },
      ...(job && { job: job.id, task: job.task, run: job.run }),
    })
    stop.request(`an ${kind}`)
  }
  process.on('uncaughtException', fail('uncaught exception'))
  process.on('unhandledRejection', fail('unhandled rejection'))
  return () => failed
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function pause(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms))
}
