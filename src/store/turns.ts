/** What somebody has to say who may have to wait for a turn. */
export interface Wait {
  /** There is none now. @returns what ends the wait when it aborts, with its reason */
  begins(): AbortSignal
  ends(): void
}

/** Lets a number of works in at the same time; the others wait their turn, first come first served. */
export class Turns {
  readonly #waiting: (() => void)[] = []
  #free: number

  constructor(most: number) {
    this.#free = most
  }

  async take<T>(work: () => Promise<T>, wait?: Wait): Promise<T> {
    if (this.#free > 0) this.#free--
    else await this.#turn(wait)
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }

  async #turn(wait: Wait | undefined): Promise<void> {
    const signal = wait?.begins()
    try {
      await this.#place(signal)
    } finally {
      wait?.ends()
    }
  }

  #place(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const enter = (): void => {
        signal?.removeEventListener('abort', leave)
        resolve()
      }
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1)
        reject(signal?.reason)
      }
      this.#waiting.push(enter)
      signal?.addEventListener('abort', leave, { once: true })
    })
  }
}
