/** Over so many readings of 50 ms a rate is taken. */
const WINDOW = 5

/** What a worker did from its start on. */
export class FreshWorker {
  /** From the start of the process until it began to join the fleet, ms. */
  readonly bootMs: number
  /** Jobs a second, between a tenth and nine tenths of the heap. */
  readonly rate: number
  /** ms after it began to join the fleet, and what it had run by then. */
  readonly timeline: readonly (readonly [ms: number, handled: number])[]

  constructor(spawnedAt: number, startedAt: number, timeline: readonly [at: number, handled: number][]) {
    this.bootMs = startedAt - spawnedAt
    this.timeline = timeline.map(([at, handled]) => [at - startedAt, handled] as const)
    this.rate = steadyRate(this.timeline)
  }

  /** When it first ran at this rate; Infinity: never. */
  msUntil(rate: number): number {
    const { timeline } = this
    for (let n = WINDOW; n < timeline.length; n++) {
      const [from, before] = timeline[n - WINDOW] ?? [0, 0]
      const [to, after] = timeline[n] ?? [0, 0]
      if (((after - before) / (to - from)) * 1_000 >= rate) return to
    }
    return Number.POSITIVE_INFINITY
  }
}

function steadyRate(timeline: FreshWorker['timeline']): number {
  const total = timeline.at(-1)?.[1] ?? 0
  const [from, before] = timeline.find(([, handled]) => handled >= total * 0.1) ?? [0, 0]
  const [to, after] = timeline.find(([, handled]) => handled >= total * 0.9) ?? [0, 0]
  return ((after - before) / (to - from)) * 1_000
}
