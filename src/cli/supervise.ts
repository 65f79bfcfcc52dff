import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { sayReady, sayStopping } from '../deploy/platform/systemd.ts'
import { onQuietSignal } from '../deploy/signals.ts'
import { Supervisor, type SupervisorEnd } from '../deploy/supervisor/supervisor.ts'
import { formatDuration } from '../model/duration.ts'
import { serveHealth } from '../surfaces/health.ts'
import { type LogLine, logTo } from '../surfaces/log.ts'
import { renderMetrics } from '../surfaces/metrics.ts'
import { wholeNumber } from './arguments.ts'
import { EXIT, UsageError } from './failure.ts'
import { plural } from './format.ts'
import { Stop } from './stop.ts'
import { supervisorMetrics } from './supervisor-metrics.ts'
import { concurrencyOf, type WorkCommandOptions } from './work-options.ts'
import { watchParent, wrapperName, wrapperWarning } from './wrapper.ts'

export interface SuperviseOptions extends WorkCommandOptions {
  readonly processes?: string | undefined
  readonly port?: string | undefined
  readonly host?: string | undefined
}

type Log = (line: LogLine) => void

const DATABASE_MS = 1_000
/** While worker processes start, how often it is looked whether systemd can be told. */
const LOOK_MS = 50

/** Runs worker processes until a stop signal. Loads nothing of the app: what its code does stays in those processes. */
export async function supervise(options: SuperviseOptions): Promise<number> {
  const log = logTo(process.stdout, options.json ? 'structured' : undefined)
  const processes = processesOf(options.processes)
  concurrencyOf(options.concurrency)
  const port = portOf(options)
  const stop = new Stop((reason, leftMs) => {
    const runs = supervisor.running
    log({
      level: 'info',
      message: `${reason} again: ${plural(runs, 'run')} left to hand off, ${formatDuration(leftMs)} left for it`,
      runs,
      leftMs: Math.round(leftMs),
    })
  })
  const supervisor: Supervisor = new Supervisor({
    processes,
    command: commandOf(),
    env: process.env,
    graceMs: stop.leftMs,
    log: (level, message, data) => log({ level, message, ...data }),
  })
  watchWrapper(log, stop)
  onQuietSignal((signal) => {
    log({ level: 'info', message: `Quiet by ${signal}: nothing more is claimed until the end`, event: 'quiet' })
    supervisor.hush()
  })
  stop.signal.addEventListener('abort', () => {
    sayStopping(process.env['NOTIFY_SOCKET'])
    supervisor.stop(stop.reason)
  })
  await using _health = await openHealth(port, options.host ?? '127.0.0.1', supervisor, log)
  if (!stop.signal.aborted) supervisor.start()
  else supervisor.stop(stop.reason)
  void tellSystemd(supervisor)
  const end = await supervisor.ended
  if (end.failed !== undefined) return end.failed
  say(log, stop, end)
  return EXIT.ok
}

function processesOf(processes: string | undefined): number {
  if (processes === undefined) return 1
  if (processes === 'auto') return availableParallelism()
  return wholeNumber(processes, 1, 256, '--processes (if not `auto`)')
}

function portOf({ port, host }: SuperviseOptions): number | undefined {
  if (port !== undefined) return wholeNumber(port, 0, 65_535, '--port')
  if (host === undefined) return undefined
  throw new UsageError('--host goes with --port: without a port, nothing is listened to.')
}

/** The same program with the same arguments, options of node included. */
function commandOf(): string[] {
  return [
    ...process.execArgv,
    process.argv[1] ?? fileURLToPath(new URL('main.js', import.meta.url)),
    ...process.argv.slice(2),
    '--child',
  ]
}

function watchWrapper(log: Log, stop: Stop): void {
  const wrapper = wrapperName()
  if (wrapper === undefined) return
  if (!process.stdout.isTTY) log({ level: 'warn', message: wrapperWarning(wrapper) })
  watchParent(() => stop.request(`the end of ${wrapper}, which started it`))
}

async function openHealth(port: number | undefined, host: string, supervisor: Supervisor, log: Log) {
  if (port === undefined) return undefined
  const unready = () => supervisor.unready(DATABASE_MS)
  const health = { unready, metrics: () => renderMetrics(supervisorMetrics(supervisor)) }
  const server = await serveHealth(health, port, host)
  log({ level: 'info', message: `Health and metrics at ${server.url}`, event: 'listening', url: server.url })
  return server
}

async function tellSystemd(supervisor: Supervisor): Promise<void> {
  while (!supervisor.stopping) {
    const children = [...supervisor.children]
    if (children.length > 0 && children.every(({ started }) => started !== undefined))
      return sayReady(process.env['NOTIFY_SOCKET'])
    await sleep(LOOK_MS, undefined, { ref: false })
  }
}

function say(log: Log, { reason }: Stop, { drained, released }: SupervisorEnd): void {
  if (drained === undefined) {
    log({ level: 'info', message: `Stopped by ${reason} before the worker had started`, event: 'stopped' })
    return
  }
  const { left, handedOff, finished, ms } = drained
  const done = `Worker stopped after ${formatDuration(ms)}: ${handedOff} handed off, ${finished} finished`
  const what = released
    ? `${left} would not end: they were killed, and their jobs released`
    : `${left} could not be given back: their jobs are free when the lease has run out`
  const rest = left === 0 ? '' : `, ${what}`
  log({
    level: left === 0 ? 'info' : 'warn',
    message: done + rest,
    event: 'stopped',
    handedOff,
    finished,
    left,
    ms: Math.round(ms),
  })
}
