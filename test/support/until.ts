import { setTimeout as sleep } from 'node:timers/promises'

/** What a machine that is busy with other things may add to a time, in ms: less than what would happen otherwise. */
export const SLOW_MACHINE = 5_000

/**
 * The least of some tries, for a time that a busy machine may make long and that wrong code never makes short: stops at the first
 * one below `enough`.
 */
export async function least(enough: number, measure: () => Promise<number>, tries = 5): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  for (let n = 0; n < tries && best >= enough; n++) best = Math.min(best, await measure())
  return best
}

/** Polls until something holds; fails after the deadline, saying what was waited for in vain. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  { deadline = 60_000, every = 10, what }: { deadline?: number; every?: number; what: string | (() => string) },
): Promise<void> {
  const end = performance.now() + deadline
  while (!(await holds())) {
    if (performance.now() > end) {
      throw new Error(`Waited ${deadline} ms in vain until ${typeof what === 'string' ? what : what()}`)
    }
    await sleep(every)
  }
}
