import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { signalChild } from '../engine/signal-child.ts'
import type { Release } from './releases.ts'

export type Condition = 'starting' | 'running' | 'stopping' | 'frozen' | 'gone'

export interface MemberOptions {
  /** Arguments of node: what is to run the release. */
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
}

const START_TIMEOUT_MS = 30_000
const LINES_KEPT = 20
/** For the supervisor to see that its worker process is dead, and to give its jobs back. */
const RELEASE_MS = 3_000

/** A supervisor with its worker process, as the platform that runs it sees it. */
export class Member {
  readonly release: Release
  readonly #child: ChildProcess
  readonly #log: string
  readonly #exited: Promise<unknown>
  readonly #ready = Promise.withResolvers<void>()
  readonly #released = Promise.withResolvers<void>()
  /** The worker process. */
  #worker: number | undefined
  condition: Condition = 'starting'
  /** When it was frozen, ms since 1970. */
  frozenAt: number | undefined
  /** The last things it complained of. */
  readonly complaints: string[] = []

  constructor(release: Release, { command, env }: MemberOptions) {
    this.release = release
    this.#log = path.join(release.folder, 'worker.log')
    const child = spawn(process.execPath, command, {
      cwd: release.folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.#child = child
    this.#exited = once(child, 'exit').then(
      () => this.#gone(),
      () => this.#gone(),
    )
    this.#ready.promise.catch(() => {})
    if (child.stdout) createInterface(child.stdout).on('line', (line) => this.#hear(line))
    if (child.stderr) createInterface(child.stderr).on('line', (line) => this.#complain(line))
  }

  /** Resolves when it claims jobs. */
  async ready(): Promise<void> {
    const timer = setTimeout(() => this.#ready.reject(new Error('it did not start in time')), START_TIMEOUT_MS)
    try {
      await this.#ready.promise
    } catch (cause) {
      throw new Error(`${this.release.build} did not start: ${this.complaints.join('\n')}`, { cause })
    } finally {
      clearTimeout(timer)
    }
  }

  /** What a platform does: a stop signal, a grace, SIGKILL. False: the grace was not enough. */
  async stop(grace: number): Promise<boolean> {
    this.condition = 'stopping'
    signalChild(this.#child, 'SIGTERM')
    const late = new AbortController()
    const inTime = await Promise.race([
      this.#exited.then(() => true),
      sleep(grace, false, { signal: late.signal }).catch(() => false),
    ])
    late.abort()
    if (!inTime) await this.kill()
    return inTime
  }

  freeze(): void {
    this.#signal('SIGSTOP')
    this.condition = 'frozen'
    this.frozenAt = Date.now()
  }

  wake(): void {
    if (this.condition !== 'frozen') return
    this.condition = 'running'
    this.#signal('SIGCONT')
  }

  /** The worker process dies; its supervisor, which would replace it by one of the same release, is allowed to give its jobs back. */
  async kill(): Promise<void> {
    this.#signal('SIGKILL')
    await Promise.race([this.#released.promise, this.#exited, sleep(RELEASE_MS, undefined, { ref: false })])
    this.killNow()
    await this.#exited
  }

  /** For the last moment of the demo's own process, when nothing can be waited for. A frozen process dies of it too. */
  killNow(): void {
    if (this.condition === 'gone') return
    this.#signal('SIGKILL')
    signalChild(this.#child, 'SIGKILL')
  }

  /** To the worker process. */
  #signal(signal: NodeJS.Signals): void {
    if (this.#worker === undefined) return
    try {
      process.kill(this.#worker, signal)
    } catch {
      // It has left meanwhile.
    }
  }

  #gone(): void {
    this.condition = 'gone'
    this.#ready.reject(new Error('it left'))
  }

  #hear(line: string): void {
    appendFileSync(this.#log, `${line}\n`)
    const { level, event, msg, ...rest } = parse(line)
    if (event === 'died') this.#released.resolve()
    if (event === 'started') {
      this.#worker = Number(rest['pid'])
      if (this.condition === 'starting') this.condition = 'running'
      this.#ready.resolve()
    } else if (level !== 'info') this.#complain([msg, rest['reason'] ?? rest['error']].filter(Boolean).join(': '))
  }

  #complain(line: string): void {
    this.complaints.push(line)
    if (this.complaints.length > LINES_KEPT) this.complaints.shift()
  }
}

function parse(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return { level: 'warn', msg: line }
  }
}
