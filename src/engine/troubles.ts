import { monotonic } from './monotonic.ts'

const AGAIN_AFTER_MS = 60_000
const REMEMBERED = 100

/** Says the same trouble once a minute: several loops fail in turn while a database is down, and an outage of an hour must not fill the log. */
export class Troubles {
  readonly #log: (message: string) => void
  readonly #said = new Map<string, number>()

  constructor(log: (message: string) => void) {
    this.#log = log
  }

  say(message: string): void {
    const now = monotonic()
    if (now - (this.#said.get(message) ?? Number.NEGATIVE_INFINITY) < AGAIN_AFTER_MS) return
    if (this.#said.size >= REMEMBERED) this.#said.clear()
    this.#said.set(message, now)
    this.#log(message)
  }
}
