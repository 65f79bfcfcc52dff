import { setTimeout as sleep } from 'node:timers/promises'
import { isRunning } from '../support/processes.ts'
import { until } from '../support/until.ts'
import type { Witness } from '../support/witness.ts'
import { startWorkerProcess, type WorkerProcess, type WorkerSettings } from '../support/worker-process.ts'
import type { Random } from './random.ts'

/** One SIGKILL, and the processes that it ended. */
export interface Kill {
  readonly of: 'worker' | 'supervisor'
  readonly pids: readonly number[]
}

const PROCESSES = 2
const PATIENCE_MS = 3_000

/** Supervisors with two worker processes each. A worker process that is killed is theirs to replace, one of them is replaced here. */
export class SupervisedFleet implements AsyncDisposable {
  readonly #settings: WorkerSettings
  readonly #witness: Witness
  readonly #gone: WorkerProcess[] = []
  readonly #pending = new Set<Promise<void>>()
  #alive: WorkerProcess[] = []
  readonly kills: Kill[] = []

  constructor(settings: WorkerSettings, witness: Witness) {
    this.#settings = { ...settings, entry: 'cli', group: true, args: ['--processes', String(PROCESSES)] }
    this.#witness = witness
  }

  async start(count: number): Promise<void> {
    const starts = Array.from({ length: count }, () => startWorkerProcess(this.#settings))
    // Not in one line: the list may be another one by then.
    const workers = await Promise.all(starts)
    this.#alive.push(...workers)
  }

  get all(): readonly WorkerProcess[] {
    return [...this.#alive, ...this.#gone]
  }

  /** Waits until some worker processes work. */
  async ready(count: number): Promise<void> {
    await until(() => this.#working().length >= count, { what: `${count} worker processes work` })
  }

  /** Waits for the replacements of those that were killed here. */
  async whole(): Promise<void> {
    await Promise.all(this.#pending)
  }

  async killWorker(random: Random, found?: number): Promise<void> {
    const pid = found ?? (await this.#anyone(random))
    process.kill(pid, 'SIGKILL')
    this.kills.push({ of: 'worker', pids: [pid] })
  }

  /** With all that it has started, as a host that loses its power. */
  async killSupervisor(random: Random, found?: number): Promise<void> {
    const pid = found ?? (await this.#anyone(random))
    const victim = this.#alive.find((worker) => worker.pids.includes(pid))
    if (victim === undefined) throw new Error(`no supervisor has the process ${pid}`)
    const pids = this.#working().filter((each) => victim.pids.includes(each))
    victim.signalGroup('SIGKILL')
    this.kills.push({ of: 'supervisor', pids })
    this.#alive = this.#alive.filter((worker) => worker !== victim)
    this.#gone.push(victim)
    const start = this.start(1).finally(() => this.#pending.delete(start))
    this.#pending.add(start)
  }

  /** The process whose code begins next, in the very moment; undefined: nobody's did for some seconds, for there was nothing left to do. */
  async next(): Promise<number | undefined> {
    const heard = this.#witness.follow()
    const end = performance.now() + PATIENCE_MS
    while (performance.now() < end) {
      const working = new Set(this.#working())
      const pid = heard().findLast((sighting) => sighting.what === 'begin' && working.has(sighting.pid))?.pid
      if (pid !== undefined) return pid
      await sleep(1)
    }
    return undefined
  }

  async #anyone(random: Random): Promise<number> {
    await this.ready(1)
    return random.pick(this.#working())
  }

  /** A process that was killed is there for another moment, until its parent has heard of it. */
  #working(): number[] {
    const killed = new Set(this.kills.flatMap(({ pids }) => pids))
    return this.#alive.flatMap(({ pids }) => pids).filter((pid) => !killed.has(pid) && isRunning(pid))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#pending)
    await Promise.all(this.all.map((worker) => worker[Symbol.asyncDispose]()))
  }
}
