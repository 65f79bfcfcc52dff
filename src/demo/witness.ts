import { closeSync, openSync, readSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** What a worker says that it did, in the witness file. */
export interface Testimony {
  /** ms since 1970 */
  readonly at: number
  /** Every worker process is a release of its own, so this names the process too. */
  readonly release: number
  readonly job: string
  readonly run: number
  /** `begin`: took a batch, no transaction is open yet. `insert`: inserted it, not committed yet. `done`: the job's last batch is done. */
  readonly did: 'begin' | 'insert' | 'done'
  /** The batch: the first and last id in it. */
  readonly from: number
  readonly to: number
}

const POLL_MS = 3

/** Reads the witness file as it grows. */
export class Witness {
  readonly #file: number
  readonly #signal: AbortSignal
  readonly #buffer = Buffer.alloc(64 * 1024)
  readonly #latest = new Map<string, Testimony>()
  #offset = 0
  #tail = ''
  #closed = false
  #readAt = performance.now()
  /** All there is, in the order in which it was written. */
  readonly lines: Testimony[] = []

  /** @param signal ends every wait */
  constructor(path: string, signal: AbortSignal) {
    this.#file = openSync(path, 'a+', 0o600)
    this.#signal = signal
  }

  /** What was said last of each job. */
  get latest(): ReadonlyMap<string, Testimony> {
    this.read()
    return this.#latest
  }

  /** ms since anybody said anything. */
  get silence(): number {
    return performance.now() - this.#readAt
  }

  /** The unfinished jobs that a release was the last to work on. */
  heldBy(release: number): Testimony[] {
    return [...this.latest.values()].filter((line) => line.release === release && line.did !== 'done')
  }

  /** The first line from number `from` on that fits, waited for; undefined when none comes in time. */
  async find(
    fits: (line: Testimony) => boolean,
    timeout: number,
    from = this.lines.length,
  ): Promise<Testimony | undefined> {
    const deadline = performance.now() + timeout
    for (let next = from; ; await sleep(POLL_MS, undefined, { signal: this.#signal })) {
      this.read()
      for (; next < this.lines.length; next++) {
        const line = this.lines[next]
        if (line !== undefined && fits(line)) return line
      }
      if (performance.now() > deadline) return undefined
    }
  }

  read(): void {
    while (!this.#closed) {
      const bytes = readSync(this.#file, this.#buffer, 0, this.#buffer.length, this.#offset)
      if (bytes === 0) return
      this.#offset += bytes
      this.#readAt = performance.now()
      const parts = (this.#tail + this.#buffer.toString('latin1', 0, bytes)).split('\n')
      this.#tail = parts.pop() ?? ''
      for (const part of parts) this.#hear(JSON.parse(part) as Testimony)
    }
  }

  /** What was read stays. */
  close(): void {
    this.#closed = true
    closeSync(this.#file)
  }

  #hear(line: Testimony): void {
    this.lines.push(line)
    const last = this.#latest.get(line.job)
    // A worker that wakes up from a freeze speaks of a run that is over.
    if (last === undefined || line.run >= last.run) this.#latest.set(line.job, line)
  }
}
