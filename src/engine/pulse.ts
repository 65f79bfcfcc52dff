import { monotonic } from './monotonic.ts'

const EVERY_MS = 100
/** Silent for as long as this, the watchdog has begun to look for who blocks the loop. */
const BLOCKED_MS = 500
/** Who it was is known soon after the loop turns again, but no timer of this thread waits for a message. */
const WORD_MS = 3_000

/** The main loop's sign that it turns, for the thread that watches it. On this side: whether it has just been blocked, and by whom is not known. */
export class Pulse {
  /** Counts; shared with the thread. */
  readonly ticks = new Int32Array(new SharedArrayBuffer(4))
  #beatAt = 0
  #doubtUntil = 0
  #timer: NodeJS.Timeout | undefined

  start(): void {
    if (this.#timer !== undefined) return
    this.#beatAt = monotonic()
    this.#timer = setInterval(() => this.#beat(), EVERY_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Time has passed in which perhaps only others could run: whose fault it was will be told in a moment. */
  get inDoubt(): boolean {
    if (this.#timer === undefined) return false
    this.#look()
    return monotonic() < this.#doubtUntil
  }

  /** The watchdog has said who it was. */
  told(): void {
    this.#doubtUntil = 0
  }

  #beat(): void {
    this.#look()
    this.#beatAt = monotonic()
    Atomics.add(this.ticks, 0, 1)
  }

  #look(): void {
    const now = monotonic()
    if (now - this.#beatAt >= BLOCKED_MS) this.#doubtUntil = now + WORD_MS
  }
}
