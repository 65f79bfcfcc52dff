import type { Unserved } from '../model/unserved.ts'
import type { Mark } from '../store/upkeep.ts'
import { taskKeys } from '../tasks/versions.ts'
import type { Attempt } from './attempt.ts'
import { Attendance } from './attendance.ts'
import { type StallOptions, StallWatch } from './stalls.ts'
import { UnservedWatch } from './unserved.ts'
import { Upkeep } from './upkeep.ts'
import type { WorkerOptions } from './worker-options.ts'
import type { Worries } from './worries.ts'

export interface WatchesOptions extends WorkerOptions, Pick<StallOptions, 'waits' | 'inDoubt' | 'hardStop'> {
  /** The runs in progress. */
  readonly attempts: ReadonlySet<Attempt>
  readonly worries: Worries
  /** This worker's key, once it has one. */
  readonly worker: () => number | undefined
  /** Low-water marks that have risen since they were last asked for. */
  readonly risenMarks: () => readonly Mark[]
  /** Jobs of a queue were made ready. */
  readonly onReady: (queue: string) => void
  readonly onTrouble: (what: string, error: unknown) => void
}

/** What a worker does beside its runs, each in its own time: for them, for people, for the whole fleet. */
export class Watches {
  readonly #worries: Worries
  readonly #stalls: StallWatch
  readonly #attendance: Attendance
  readonly #unserved: UnservedWatch
  readonly #upkeep: Upkeep

  constructor(options: WatchesOptions) {
    const { log, onTrouble } = options
    this.#worries = options.worries
    this.#stalls = new StallWatch(options)
    this.#attendance = new Attendance({ ...options, takes: taskKeys(options.tasks) })
    this.#unserved = new UnservedWatch({
      ...options,
      most: options.maxUnserved,
      onTrouble: (error) => onTrouble('looking for jobs that nobody takes', error),
    })
    this.#upkeep = new Upkeep({
      ...options,
      keep: options.historyKeep,
      onRevoked: (name, jobs) => log('warn', `Worker ${name} is gone: ${jobs} jobs were given back`, { jobs }),
    })
  }

  /** Ready jobs that no live worker takes, for too long; empty where another worker looks. */
  get unserved(): readonly Unserved[] {
    return this.#unserved.alerts
  }

  /** What the first runs need. */
  prepare(): Promise<void> {
    return this.#upkeep.prepare()
  }

  start(): void {
    this.#attendance.start()
    this.#worries.start()
    this.#stalls.start()
    this.#unserved.start()
    this.#upkeep.start()
  }

  /** Somebody says that something was asked of a run just now. */
  hear(): void {
    this.#attendance.hear()
  }

  /** A claim failed: what it had taken may be ready again, below the marks. */
  claimsMayHaveRolledBack(): void {
    this.#upkeep.claimsMayHaveRolledBack()
  }

  /** This worker claims no more: others make jobs ready for theirs. */
  stopPromoting(): void {
    this.#upkeep.stopPromoting()
  }

  async stop(): Promise<void> {
    this.#worries.stop()
    await Promise.allSettled([this.#attendance.stop(), this.#stalls.stop(), this.#unserved.stop(), this.#upkeep.stop()])
  }
}
