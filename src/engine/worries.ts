import { type Worry, type WorryKind, worryOfLength, worryOfStops } from '../model/worry.ts'
import type { GivenBackJob } from '../store/settles.ts'
import type { Attempt } from './attempt.ts'
import { monotonic } from './monotonic.ts'

const EVERY_MS = 500

export interface WorriesOptions {
  readonly attempts: ReadonlySet<Attempt>
  /** ms that a run may take of which a stop keeps nothing. */
  readonly maxRun: number
  readonly log: (level: 'warn', message: string, data: object) => void
}

/** Says which jobs get nowhere, while somebody can still do something about them, and counts what it said. */
export class Worries {
  readonly #options: WorriesOptions
  readonly #counts: Record<WorryKind, number> = { 'no-progress': 0, 'starts-over': 0, 'runs-long': 0 }
  readonly #named = new WeakSet<Attempt>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: WorriesOptions) {
    this.#options = options
  }

  /** How often each was said. */
  get counts(): Readonly<Record<WorryKind, number>> {
    return { ...this.#counts }
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#watch(), EVERY_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** A job was interrupted, and is ready again. */
  stopped(job: GivenBackJob & { readonly id: string }): void {
    this.#say(worryOfStops(job), { job: job.id, task: job.task })
  }

  /** A job that was interrupted before begins anew: whoever stopped it is gone, and what it counted with it. */
  starts(attempt: Attempt): void {
    if (attempt.job.interruptions === 0 || attempt.task.kind === 'iteration') return
    this.startsFrom(attempt, { fruitless: attempt.job.interruptions, resumes: false })
  }

  /** The same of an iteration, which knows where it goes on. */
  startsFrom({ job, task }: Attempt, stops: { readonly fruitless: number; readonly resumes: boolean }): void {
    this.#say(worryOfStops(stops), { job: job.id, task: task.name, run: job.run })
  }

  #watch(): void {
    const now = monotonic()
    for (const attempt of this.#options.attempts) {
      if (attempt.task.interrupt === 'resume' || this.#named.has(attempt)) continue
      const worry = worryOfLength(now - attempt.startedAt, this.#options.maxRun)
      if (worry === undefined) continue
      this.#named.add(attempt)
      this.#say(worry, { job: attempt.job.id, task: attempt.job.task, run: attempt.job.run })
    }
  }

  #say(worry: Worry | undefined, data: object): void {
    if (worry === undefined) return
    this.#counts[worry.kind]++
    this.#options.log('warn', worry.message, { ...data, worry: worry.kind })
  }
}
