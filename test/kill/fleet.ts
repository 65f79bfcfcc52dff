import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../support/until.ts'
import type { Sighting, Witness } from '../support/witness.ts'
import { startWorkerProcess, type WorkerProcess, type WorkerSettings } from '../support/worker-process.ts'

/** Workers that are replaced when they go, and what was done to them. */
export class Fleet implements AsyncDisposable {
  readonly #settings: WorkerSettings
  readonly #witness: Witness
  readonly #gone: WorkerProcess[] = []
  readonly #pending: Promise<void>[] = []
  readonly #stopped = new Set<WorkerProcess>()
  #alive: WorkerProcess[] = []
  readonly killed: WorkerProcess[] = []
  readonly terminated: WorkerProcess[] = []
  readonly frozen: WorkerProcess[] = []

  constructor(settings: WorkerSettings, witness: Witness) {
    this.#settings = settings
    this.#witness = witness
  }

  /** Those that work now. */
  get awake(): readonly WorkerProcess[] {
    return this.#alive.filter((worker) => !this.#stopped.has(worker))
  }

  /** Waits until some work: a kill must leave somebody to go on. */
  async ready(count: number): Promise<void> {
    await until(() => this.awake.length >= count, { what: `${count} workers are awake`, deadline: 30_000 })
  }

  /** Everybody there has been. */
  get all(): readonly WorkerProcess[] {
    return [...this.#alive, ...this.#gone]
  }

  async start(count: number): Promise<void> {
    const workers = await Promise.all(Array.from({ length: count }, () => startWorkerProcess(this.#settings)))
    this.#alive.push(...workers)
  }

  /** Resolves when every replacement is there, and everybody is awake. */
  async whole(): Promise<void> {
    await Promise.all(this.#pending.splice(0))
  }

  kill(worker: WorkerProcess): void {
    worker.signal('SIGKILL')
    this.killed.push(worker)
    this.#replace(worker)
  }

  terminate(worker: WorkerProcess): void {
    worker.signal('SIGTERM')
    this.terminated.push(worker)
    this.#replace(worker)
  }

  /** Past its lease, and back. */
  freeze(worker: WorkerProcess, ms: number): void {
    worker.signal('SIGSTOP')
    this.frozen.push(worker)
    this.#stopped.add(worker)
    const wake = () => {
      worker.signal('SIGCONT')
      this.#stopped.delete(worker)
    }
    this.#pending.push(sleep(ms).then(wake))
  }

  /** The worker that says this next, in the very moment. */
  async next(what: string): Promise<WorkerProcess> {
    let found: WorkerProcess | undefined
    const heard = this.#witness.follow()
    const tell = ({ what: said, pid }: Sighting) => {
      if (said === what) found = this.awake.find((worker) => worker.pid === pid) ?? found
    }
    await until(
      () => {
        heard().forEach(tell)
        return found !== undefined
      },
      { every: 1, what: `a worker says "${what}"` },
    )
    return found as WorkerProcess
  }

  #replace(worker: WorkerProcess): void {
    this.#alive = this.#alive.filter((each) => each !== worker)
    this.#gone.push(worker)
    this.#pending.push(this.start(1))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#pending.splice(0))
    await Promise.all(this.all.map((worker) => worker[Symbol.asyncDispose]()))
  }
}
