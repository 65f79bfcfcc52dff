import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Running, start } from '../cli/support.ts'
import { until } from '../support/until.ts'
import { createWitness, type Sighting } from '../support/witness.ts'
import { CELERY } from './global-setup.ts'

const APP = fileURLToPath(new URL('celery', import.meta.url))
const run = promisify(execFile)

/** `n` is what the witness tells tasks apart by; `seconds` null: until `letGo(n)`. */
export type Send = readonly [task: 'plain' | 'late', n: number, seconds: number | null, queue: string]

let stages = 0
const living = new Set<CeleryWorker>()
process.once('exit', () => {
  for (const worker of living) worker.kill()
})

/** Real Celery workers, queues of their own, a witness, and a folder in which the gate keeps its state. */
export class CeleryStage implements AsyncDisposable {
  readonly folder: string
  readonly witness = createWitness()
  readonly #env: Record<string, string>
  readonly #workers: CeleryWorker[] = []
  readonly #tag = `${process.pid}-${++stages}`

  static async open(broker: string): Promise<CeleryStage> {
    return new CeleryStage(broker, await mkdtemp(path.join(tmpdir(), 'holdfast-celery-')))
  }

  private constructor(broker: string, folder: string) {
    this.folder = folder
    // Remote control reaches everyone on a broker. Redis has sixteen of them.
    if (broker.startsWith('redis:')) broker = broker.replace(/\d+$/, String(stages % 16))
    this.#env = {
      PATH: process.env['PATH'] ?? '',
      BROKER: broker,
      WITNESS: this.witness.path,
      PYTHONPATH: APP,
      PYTHONDONTWRITEBYTECODE: '1',
    }
  }

  /** A name that no other test has. */
  queue(name: string): string {
    return `${name}-${this.#tag}`
  }

  worker(name: string): string {
    return `${name}@t${this.#tag}`
  }

  async start(name: string, queues: readonly string[], { slots = 2, prefetch = 4 } = {}): Promise<CeleryWorker> {
    const args = ['-A', 'proj', 'worker', '-n', this.worker(name), '-Q', queues.join(','), '-c', String(slots)]
    const env = { ...this.#env, PREFETCH: String(prefetch) }
    const child = spawn(CELERY, [...args, '--loglevel', 'info', '--without-mingle', '--without-gossip'], {
      cwd: this.folder,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const worker = new CeleryWorker(this.worker(name), child)
    this.#workers.push(worker)
    await until(() => worker.said.includes('ready.') || worker.ended, {
      what: () => `${worker.name} is ready; it said:\n${worker.said}`,
    })
    return worker
  }

  /** @returns the ids of the tasks. */
  async send(...tasks: readonly Send[]): Promise<string[]> {
    const text = JSON.stringify(tasks)
    const python = path.join(path.dirname(CELERY), 'python')
    const { stdout } = await run(python, [path.join(APP, 'send.py'), text], { env: this.#env, cwd: this.folder })
    return JSON.parse(stdout) as string[]
  }

  letGo(n: number): void {
    writeFileSync(`${this.witness.path}.go${n}`, '')
  }

  /** The gate, as a process. `--json` for `prepare`, unless it is to be read by people. */
  gate(verb: 'prepare' | 'finish' | 'abort', ...args: readonly string[]): Running {
    const fleet = ['--fleet', 'celery', '--celery', `${CELERY} -A proj`, '--reply', '2s', '--json']
    return start(['deploy', verb, ...fleet, ...args], { cwd: this.folder, env: this.#env })
  }

  /** What each worker fetches from, by Celery's own word; those that stand still cannot say. */
  async queues(): Promise<Record<string, string[]>> {
    const names = this.#workers.filter(({ ended, frozen }) => !ended && !frozen).map(({ name }) => name)
    const args = ['-A', 'proj', 'inspect', '--json', '-t', '20', '-d', [...new Set(names)].join(','), 'active_queues']
    const { stdout } = await run(CELERY, args, { env: this.#env, cwd: this.folder })
    const found = JSON.parse(stdout) as Record<string, { name: string }[]>
    return Object.fromEntries(
      Object.entries(found).map(([name, list]) => [name, list.map((queue) => queue.name).sort()]),
    )
  }

  saw(what: 'begin' | 'end'): Sighting[] {
    return this.witness.saw(what)
  }

  async seen(what: 'begin' | 'end', ...ns: readonly number[]): Promise<void> {
    await until(() => ns.every((n) => this.saw(what).some((each) => each['n'] === n)), {
      deadline: 120_000,
      what: () => `the witness has ${what} of ${ns.join(', ')}; it has ${JSON.stringify(this.witness.saw())}`,
    })
  }

  /** Neither lost nor done twice. */
  countOf(what: 'begin' | 'end'): Record<number, number> {
    const counts: Record<number, number> = {}
    for (const { n } of this.saw(what)) counts[Number(n)] = (counts[Number(n)] ?? 0) + 1
    return counts
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.#workers) worker.kill()
    await until(() => this.#workers.every(({ ended }) => ended), { what: 'the workers are gone' })
    this.witness[Symbol.dispose]()
    await rm(this.folder, { recursive: true, force: true })
  }
}

export class CeleryWorker {
  readonly name: string
  readonly #child: ChildProcess
  said = ''
  ended = false
  frozen = false

  constructor(name: string, child: ChildProcess) {
    this.name = name
    this.#child = child
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.said += text))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.said += text))
    child.once('exit', () => {
      this.ended = true
      living.delete(this)
    })
    living.add(this)
  }

  /** SIGTERM: ends what it runs, then leaves. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    await until(() => this.ended, { what: () => `${this.name} leaves; it said:\n${this.said}` })
  }

  /** The process that answers; its children go on. @returns when it really stands still. */
  async freeze(): Promise<void> {
    this.frozen = true
    this.#child.kill('SIGSTOP')
    await until(() => / T /.test(readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8').replace(/\(.*\)/, '')), {
      what: `${this.name} stands still`,
    })
  }

  thaw(): void {
    this.frozen = false
    this.#child.kill('SIGCONT')
  }

  kill(): void {
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL')
    } catch {
      // Gone already.
    }
  }
}
