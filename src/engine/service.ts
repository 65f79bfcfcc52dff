/** Runs one duty again and again: the next time when the last one has ended and its pause is over. One failure changes nothing. */
export class Service {
  readonly #work: () => Promise<number>
  readonly #onError: (error: unknown) => void
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #stopped = true

  /** `work` resolves with the pause until it is due again, in ms. */
  constructor(work: () => Promise<number>, onError: (error: unknown) => void) {
    this.#work = work
    this.#onError = onError
  }

  /** `after`: ms until the first time. */
  start(after = 0): void {
    if (!this.#stopped) return
    this.#stopped = false
    if (after === 0) this.#run()
    else this.#timer = setTimeout(() => this.#run(), after)
  }

  /** Resolves when the work in progress has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  #run(): void {
    this.#running = this.#work()
      .catch((error: unknown) => {
        this.#onError(error)
        return AFTER_ERROR_MS
      })
      .then((pause) => {
        if (this.#stopped) return
        // Jitter, so that a fleet that was started at once does not ask at once.
        this.#timer = setTimeout(() => this.#run(), pause * (0.9 + Math.random() * 0.2))
      })
  }
}

const AFTER_ERROR_MS = 1_000
