import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { until } from './until.ts'

export interface WorkerSettings {
  /** `cli`: through `holdfast work`; `fixture` (default): `startWork` and `onStopSignal` alone, which starts faster. */
  readonly entry?: 'fixture' | 'cli'
  /** A module in `test/fixtures/apps`, without `.ts`, whose default export is an app. */
  readonly app: string
  readonly database: string
  readonly schema?: string
  /** Where the app's code writes down what it does. */
  readonly witness?: string
  /** The queues that it works on. Default: all. */
  readonly queues?: readonly string[]
  /** With a pipe for the verdict that a process gives on its own death, as a supervisor has one. */
  readonly blackbox?: boolean
  /** More of the environment, read by the app. */
  readonly env?: Readonly<Record<string, string>>
  /** Arguments of node itself. */
  readonly node?: readonly string[]
  /** In a process group of its own, as a terminal or a process manager starts it: for `signalGroup`. */
  readonly group?: boolean
  /** More arguments for `holdfast work`. */
  readonly args?: readonly string[]
}

export interface LogLine {
  readonly level: string
  readonly msg: string
  readonly [key: string]: unknown
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** ms since the last stop signal that this test sent, or since the start. */
  readonly ms: number
}

/** A real worker in a process of its own, with `startWork` and the stop signals wired as an entry point does. */
export interface WorkerProcess extends AsyncDisposable {
  /** Of the worker process: with `cli`, the supervisor's first child, once it has started. */
  readonly pid: number
  /** Of all the worker processes that were ready so far, the oldest first. */
  readonly pids: readonly number[]
  /** Of the process that was started: with `cli`, the supervisor. */
  readonly root: number
  /** Its structured log so far. */
  readonly log: readonly LogLine[]
  /** Whatever else it printed. */
  readonly noise: readonly string[]
  /** Undefined while it runs. */
  readonly ended: Exit | undefined
  /** What it wrote to its blackbox, line by line. */
  readonly verdicts: readonly string[]
  /** The key of the worker in the database, as its ready line told. */
  readonly key: number
  signal(signal: NodeJS.Signals): void
  /** To all processes of its group, at once. */
  signalGroup(signal: NodeJS.Signals): void
  /** Waits for the end. Fails after `deadline` ms with all that the worker said. */
  exit(deadline?: number): Promise<Exit>
  /** Waits for a line of its log. */
  logged(words: string | RegExp, deadline?: number): Promise<LogLine>
}

const ENTRY = fileURLToPath(new URL('../fixtures/worker.ts', import.meta.url))
const CLI = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const READY = /^(ready|Worker started)$/
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts a worker and waits until it is ready. `await using` kills what is left of it. */
export async function startWorkerProcess(settings: WorkerSettings): Promise<WorkerProcess> {
  const worker = spawnWorkerProcess(settings)
  try {
    await worker.logged(READY)
  } catch (error) {
    await worker[Symbol.asyncDispose]()
    throw error
  }
  return worker
}

/** The same without waiting: to send signals during the start. */
export function spawnWorkerProcess(settings: WorkerSettings): WorkerProcess {
  const { app, database, schema, witness, queues, env, entry = 'fixture', blackbox = false } = settings
  const { node = [], group = false, args: more = [] } = settings
  const config = fileURLToPath(new URL(`../fixtures/apps/${app}.ts`, import.meta.url))
  const chosen = queues === undefined ? [] : ['--queues', queues.join(',')]
  const args =
    entry === 'cli' ? [CLI, 'work', '--json', '--config', config, ...chosen, ...more] : [ENTRY, app, ...chosen]
  const child = spawn(process.execPath, ['--no-warnings', ...node, ...args], {
    detached: group,
    stdio: ['ignore', 'pipe', 'pipe', ...(blackbox ? (['pipe'] as const) : [])],
    env: {
      PATH: process.env['PATH'],
      TEST_DATABASE: database,
      ...(schema !== undefined && { TEST_SCHEMA: schema }),
      ...(witness !== undefined && { TEST_WITNESS: witness }),
      ...(blackbox && { HOLDFAST_BLACKBOX: '3' }),
      ...env,
    },
  })
  running.add(child)
  const log: LogLine[] = []
  const noise: string[] = []
  let ended: Exit | undefined
  let since = performance.now()
  const hear = (line: string): void => {
    const parsed = parse(line)
    if (parsed === undefined) noise.push(line)
    else log.push(parsed)
  }
  createInterface({ input: child.stdout as Readable }).on('line', hear)
  createInterface({ input: child.stderr as Readable }).on('line', (line) => noise.push(line))
  const verdicts: string[] = []
  const pipe = child.stdio[3]
  if (pipe instanceof Readable) createInterface({ input: pipe }).on('line', (line) => verdicts.push(line))
  const gone = new Promise<void>((resolve) => {
    // 'close' comes after the last line; a child that never started has no exit.
    child.once('error', (error) => noise.push(String(error)))
    child.once('close', (code, signal) => {
      running.delete(child)
      ended = { code, signal, ms: performance.now() - since }
      resolve()
    })
  })
  const said = () => [...log.map((line) => JSON.stringify(line)), ...noise].join('\n')

  const worker: WorkerProcess = {
    get pid() {
      return Number(log.find((line) => READY.test(line.msg))?.['pid'] ?? child.pid)
    },
    get pids() {
      return log.filter((line) => READY.test(line.msg)).map((line) => Number(line['pid'] ?? child.pid))
    },
    root: Number(child.pid),
    log,
    noise,
    verdicts,
    get ended() {
      return ended
    },
    get key() {
      return Number(log.find((line) => READY.test(line.msg))?.['key'])
    },
    signal(signal) {
      if (signal !== 'SIGCONT') since = performance.now()
      child.kill(signal)
    },
    signalGroup(signal) {
      if (signal !== 'SIGCONT') since = performance.now()
      if (!group) throw new Error('This worker was started without a process group of its own.')
      if (child.pid !== undefined) process.kill(-child.pid, signal)
    },
    async exit(deadline = 60_000) {
      await until(() => ended !== undefined, { deadline, what: () => `worker ${child.pid} ends; it said:\n${said()}` })
      return ended as Exit
    },
    async logged(words, deadline = 60_000) {
      const find = () =>
        log.find((line) => (typeof words === 'string' ? line.msg.includes(words) : words.test(line.msg)))
      await until(() => find() !== undefined || ended !== undefined, {
        deadline,
        what: () => `worker ${child.pid} says ${words}; it said:\n${said()}`,
      })
      const line = find()
      if (line === undefined) throw new Error(`Worker ${child.pid} ended before it said ${words}:\n${said()}`)
      return line
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await gone
    },
  }
  return worker
}

function parse(line: string): LogLine | undefined {
  try {
    const parsed: unknown = JSON.parse(line)
    return typeof parsed === 'object' && parsed !== null && 'msg' in parsed ? (parsed as LogLine) : undefined
  } catch {
    return undefined
  }
}
