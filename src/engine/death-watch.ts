import type { Death } from '../model/death.ts'
import { memoryKills } from './memory-kills.ts'
import { monotonic } from './monotonic.ts'

/** What V8 prints when it gives up. */
const HEAP_FULL = /heap out of memory|Reached heap limit/
const SIGKILL_CODE = 137
const EVERY_MS = 500
/** Between the kill and the end of a process, which may have much memory to give back. */
const WINDOW_MS = 3_000

/**
 * Tells from how a process ended, and what it printed last, what it died of. A kill by the system's out-of-memory killer looks like any
 * other: only the count of such kills says more, where there is one. It is everybody's in the control group, so it must have risen just
 * before, and each kill is one death only.
 */
export class DeathWatch {
  readonly #kills: () => number | undefined
  readonly #now: () => number
  #count: number | undefined
  /** When kills were seen that nobody has died of yet, as far as is known here. */
  #seen: number[] = []
  #watching = false

  constructor(kills: () => number | undefined = memoryKills, now = monotonic) {
    this.#kills = kills
    this.#now = now
  }

  /** Call it before a process is started. */
  born(): (code: number | null, signal: string | null, printed?: string) => Death {
    this.look()
    const since = this.#now()
    if (this.#count !== undefined && !this.#watching) {
      this.#watching = true
      setInterval(() => this.look(), EVERY_MS).unref()
    }
    return (code, signal, printed = '') => {
      // V8 aborts, which a shell in between would turn into a code.
      if (HEAP_FULL.test(printed) && (signal !== null || (code ?? 0) >= 128)) return { code, signal, oom: 'heap' }
      if (signal !== 'SIGKILL' && code !== SIGKILL_CODE) return { code, signal, oom: undefined }
      this.look()
      if (this.#count === undefined) return { code, signal, oom: signal === null ? undefined : 'unknown' }
      return { code, signal, oom: this.#take(since) ? 'system' : undefined }
    }
  }

  /** Done all the time, so that each kill has a time. */
  look(): void {
    const now = this.#now()
    const count = this.#kills()
    this.#seen = this.#seen.filter((at) => now - at < WINDOW_MS)
    for (let kill = this.#count ?? count ?? 0; kill < (count ?? 0); kill++) this.#seen.push(now)
    this.#count = count
  }

  #take(since: number): boolean {
    const index = this.#seen.findIndex((at) => at >= since)
    if (index === -1) return false
    this.#seen.splice(index, 1)
    return true
  }
}

const ours = new DeathWatch()

/** Of a child of this process. */
export function watchDeath(): ReturnType<DeathWatch['born']> {
  return ours.born()
}
