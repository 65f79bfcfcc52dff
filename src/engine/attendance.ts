import { Interrupted } from '../model/interrupted.ts'
import { saveCheckpoint } from '../store/checkpoints.ts'
import type { Database } from '../store/db.ts'
import { type Mark, publishMarks } from '../store/upkeep.ts'
import { type JobRequest, requestsFor } from '../store/workers.ts'
import type { Attempt } from './attempt.ts'
import { acceptsOf } from './marks.ts'
import { Service } from './service.ts'

export interface AttendanceOptions {
  readonly db: Database
  /** What this worker takes: the set that its marks belong to. */
  readonly takes: readonly string[]
  /** This worker's key, once it has one. */
  readonly worker: () => number | undefined
  readonly attempts: ReadonlySet<Attempt>
  /** Low-water marks that have risen since they were last asked for. */
  readonly risenMarks: () => readonly Mark[]
  readonly onTrouble: (what: string, error: unknown) => void
}

const EVERY_MS = 1_000

/** Each second, between a worker's runs and the database: what people asked of them, how far they are, how far this worker has claimed. */
export class Attendance {
  readonly #options: AttendanceOptions
  readonly #service: Service

  constructor(options: AttendanceOptions) {
    this.#options = options
    this.#service = new Service(
      () => this.#attend(),
      (error) => options.onTrouble('attending to its runs', error),
    )
  }

  start(): void {
    this.#service.start()
  }

  async stop(): Promise<void> {
    await this.#service.stop()
  }

  /** Somebody says that something was asked just now. */
  hear(): void {
    this.#answerRequests().catch((error: unknown) => this.#options.onTrouble('reading requests', error))
  }

  async #attend(): Promise<number> {
    await this.#answerRequests()
    await this.#saveProgress()
    await this.#publishMarks()
    return EVERY_MS
  }

  async #answerRequests(): Promise<void> {
    const { db, attempts } = this.#options
    const worker = this.#options.worker()
    if (worker === undefined || attempts.size === 0) return
    for (const request of await requestsFor(db, worker)) this.#answer(request)
  }

  #answer(request: JobRequest): void {
    for (const attempt of this.#options.attempts) {
      if (attempt.job.id !== request.id || attempt.job.run !== request.run) continue
      attempt.asked = { action: request.action, reason: request.reason, until: request.until ?? undefined }
      // A cancelled run is told at once. A paused iteration ends at its next boundary; other tasks cannot rest half-way, they run on.
      if (request.action === 'cancel') attempt.interrupt('cancel', new Interrupted('cancel'), true)
      else if (attempt.task.kind === 'iteration') attempt.interrupt('pause', new Interrupted('pause'), false)
    }
  }

  async #saveProgress(): Promise<void> {
    for (const attempt of this.#options.attempts) {
      const { progress } = attempt
      if (progress === undefined) continue
      attempt.progress = undefined
      attempt.reported = true
      const saved = { items: progress.done, total: progress.total, cursor: 'null', rate: undefined }
      await saveCheckpoint(this.#options.db, attempt.job, saved)
    }
  }

  async #publishMarks(): Promise<void> {
    const { db, takes, risenMarks } = this.#options
    const marks = risenMarks()
    if (marks.length > 0) await publishMarks(db, acceptsOf(takes), takes, marks)
  }
}
