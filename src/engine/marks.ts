import { createHash } from 'node:crypto'
import type { Band, Claimed } from '../store/claims.ts'
import type { Mark } from '../store/upkeep.ts'

const FRONT = 0
const MAIN = 1
const PRIORITIES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
/** Handed-back jobs go first, but each fourth claim looks in the main lane first: a storm of hand-offs must not starve new work. */
const MAIN_FIRST_EVERY = 4

/**
 * How far each band (lane, priority) of one queue has been claimed. Without these marks a claim reads every dead row of the past
 * whenever somebody holds a snapshot open: 54,000 jobs/s fell to 1,500.
 */
export class Marks {
  readonly #queue: string
  readonly #positions = new Map<number, number>()
  #claims = 0
  #changed = false

  constructor(queue: string, published: readonly Mark[]) {
    this.#queue = queue
    for (const mark of published)
      if (mark.queue === queue) this.#positions.set(key(mark.lane, mark.priority), mark.position)
  }

  /** The bands to look in, in order. */
  bands(most: number): Band[] {
    this.#claims++
    const lanes = this.#claims % MAIN_FIRST_EVERY === 0 ? [MAIN, FRONT] : [FRONT, MAIN]
    return lanes.flatMap((lane) =>
      PRIORITIES.map((priority) => ({ lane, priority, mark: this.#positions.get(key(lane, priority)) ?? 0, most })),
    )
  }

  raise(claimed: readonly Claimed[]): void {
    for (const { lane, priority, position } of claimed) {
      const band = key(lane, priority)
      if (position <= (this.#positions.get(band) ?? 0)) continue
      this.#positions.set(band, position)
      this.#changed = true
    }
  }

  /** A claim that began when this floor was known found nothing in any band: nothing for this set of tasks is at or below it. */
  raiseTo(floor: number): void {
    for (const lane of [FRONT, MAIN]) {
      for (const priority of PRIORITIES) {
        const band = key(lane, priority)
        if (floor <= (this.#positions.get(band) ?? 0)) continue
        this.#positions.set(band, floor)
        this.#changed = true
      }
    }
  }

  /** What has risen since the last call, to be published. */
  risen(): Mark[] {
    if (!this.#changed) return []
    this.#changed = false
    return [...this.#positions].map(([band, position]) => ({
      queue: this.#queue,
      lane: Math.floor(band / 10),
      priority: band % 10,
      position,
    }))
  }
}

function key(lane: number, priority: number): number {
  return lane * 10 + priority
}

/** Marks belong to one set of tasks and versions: a job that this set skipped was not seen by another set's marks. */
export function acceptsOf(takes: readonly string[]): string {
  return createHash('sha256').update(takes.join('\n')).digest('hex').slice(0, 16)
}
