import type { Database } from '../store/db.ts'
import { saveTails, type TailLine, type TailWrite } from '../store/tails.ts'
import type { Attempt } from './attempt.ts'
import { leaveLines } from './last-lines.ts'
import { monotonic } from './monotonic.ts'
import { lineText, Tail } from './tail.ts'
import { letRescue } from './tail-rescue.ts'

type Level = TailLine[1]

const EVERY_MS = 2_000
/** After a checkpoint the lines are kept at once; an iteration that logs with each item must not write as often as it saves. */
const SOONEST_MS = 250

export interface TailsOptions {
  readonly db: Database
  /** Where a supervisor hears the last of this process. */
  readonly blackbox?: number | undefined
  readonly onTrouble: (error: unknown) => void
}

/**
 * Keeps the last log lines of a worker's runs: every two seconds, soon after a checkpoint, and with the end of the run. One statement
 * for all of them; nothing at all while no run logs.
 */
export class Tails {
  readonly #options: TailsOptions
  /** Runs that have logged since their lines were kept. */
  readonly #behind = new Set<Attempt>()
  #timer: NodeJS.Timeout | undefined
  #due = Number.POSITIVE_INFINITY
  #flushedAt = Number.NEGATIVE_INFINITY
  #flushing: Promise<void> | undefined
  readonly #forgo: () => void
  readonly #atExit = (): void => {
    const { blackbox } = this.#options
    if (blackbox !== undefined)
      leaveLines(
        blackbox,
        this.#unsaved().map(({ write }) => write),
      )
  }

  constructor(options: TailsOptions) {
    this.#options = options
    this.#forgo = letRescue(() => this.#unsaved().map(({ write }) => write))
    if (options.blackbox !== undefined) process.on('exit', this.#atExit)
  }

  note(attempt: Attempt, level: Level, message: string, data: object | undefined): void {
    // What still runs of it, a timer that leaked, has no job any more.
    if (attempt.over) return
    noteLine(attempt, level, message, data)
    this.#behind.add(attempt)
    this.#schedule(EVERY_MS)
  }

  /** The run has saved its progress: what it said before that should be known as well. */
  checkpointed(attempt: Attempt): void {
    if (this.#behind.has(attempt)) this.#schedule(this.#flushedAt + SOONEST_MS - monotonic())
  }

  /** The run is over: its last lines are written together with its end. */
  last(attempt: Attempt): TailWrite | undefined {
    attempt.over = true
    this.#behind.delete(attempt)
    return attempt.tail?.write(attempt.job)
  }

  /** Resolves when what is on its way has been written. */
  async stop(): Promise<void> {
    this.#forgo()
    process.off('exit', this.#atExit)
    clearTimeout(this.#timer)
    this.#behind.clear()
    await this.#flushing
  }

  #schedule(ms: number): void {
    const wait = Math.max(1, ms)
    const at = monotonic() + wait
    if (at >= this.#due) return
    clearTimeout(this.#timer)
    this.#due = at
    this.#timer = setTimeout(() => {
      this.#due = Number.POSITIVE_INFINITY
      // The one that is on its way schedules the next.
      this.#flushing ??= this.#flush().finally(() => {
        this.#flushing = undefined
        if (this.#behind.size > 0) this.#schedule(EVERY_MS)
      })
    }, wait)
    // A worker that has nothing else to do may end: the last lines go with the end of each run.
    this.#timer.unref()
  }

  #unsaved(): { readonly attempt: Attempt; readonly write: TailWrite }[] {
    return [...this.#behind].flatMap((attempt) => {
      const write = attempt.tail?.write(attempt.job)
      return write === undefined ? [] : [{ attempt, write }]
    })
  }

  async #flush(): Promise<void> {
    this.#flushedAt = monotonic()
    const sent = this.#unsaved()
    if (sent.length === 0) return this.#behind.clear()
    try {
      const kept = await saveTails(
        this.#options.db,
        sent.map(({ write }) => write),
      )
      for (const { attempt, write } of sent) {
        if (!kept.has(write.id)) continue
        attempt.tail?.keptUpTo(write.said)
        if (attempt.tail?.write(attempt.job) === undefined) this.#behind.delete(attempt)
      }
    } catch (error) {
      this.#options.onTrouble(error)
    }
  }
}

/** Remembers a line, for whoever writes the end of the run. */
export function noteLine(attempt: Attempt, level: Level, message: string, data: object | undefined): void {
  attempt.tail ??= new Tail()
  attempt.tail.add([Math.round(monotonic() - attempt.startedAt), level, lineText(message, data)])
}
