import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DeploySystem } from '../systems/deploy/system.ts'
import { now } from './clock.ts'

export interface RollingSettings {
  readonly workers: number
  /** From one deploy to the next, ms. */
  readonly every: number
  /** From SIGTERM to SIGKILL, ms; and from the first worker of a deploy to the next one. */
  readonly grace: number
  /** More of the environment. */
  readonly env: Readonly<Record<string, string>>
}

const living = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of living) killGroup(child)
})

/** The workers of one system, each in a process group of its own, as a container is. */
export class RollingFleet {
  readonly #system: DeploySystem
  readonly #settings: RollingSettings
  #workers: ChildProcess[] = []
  #deploying: Promise<void> | undefined
  #over = false
  /** ms from SIGTERM to the end of each worker that left by itself. */
  readonly left: number[] = []
  killed = 0
  deploys = 0

  constructor(system: DeploySystem, settings: RollingSettings) {
    this.#system = system
    this.#settings = settings
  }

  start(): void {
    this.#workers = Array.from({ length: this.#settings.workers }, () => this.#spawn())
  }

  /** One deploy after the other, each of them worker by worker, until the end. */
  deploy(): void {
    this.#deploying = this.#roll()
  }

  async #roll(): Promise<void> {
    const { every, grace } = this.#settings
    for (let at = now(); !this.#over; at += every) {
      await sleep(Math.max(0, at + every - now()))
      for (const index of this.#workers.keys()) {
        if (this.#over) return
        if (index > 0) await sleep(grace)
        this.#replace(index)
      }
      this.deploys++
    }
  }

  /** The new one starts at the moment in which the old one is told to stop. */
  #replace(index: number): void {
    const old = this.#workers[index]
    this.#workers[index] = this.#spawn()
    if (old === undefined) return
    const at = now()
    old.kill('SIGTERM')
    const timer = setTimeout(() => {
      this.killed++
      killGroup(old)
    }, this.#settings.grace)
    old.once('exit', () => {
      if (now() - at < this.#settings.grace) this.left.push(now() - at)
      clearTimeout(timer)
      // What its children hold goes with it.
      killGroup(old)
    })
  }

  #spawn(): ChildProcess {
    const { command, env } = this.#system.worker()
    const [program = '', ...args] = command
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', process.env['BENCH_SHOW'] === undefined ? 'ignore' : 'inherit'],
      detached: true,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...this.#settings.env, ...env },
    })
    living.add(child)
    child.once('exit', () => living.delete(child))
    return child
  }

  /** Nothing of it is left. */
  async end(): Promise<void> {
    this.#over = true
    for (const child of living) killGroup(child)
    await this.#deploying
    for (const child of living) killGroup(child)
    while (living.size > 0) await sleep(20)
  }
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch {
    // Gone already.
  }
}
