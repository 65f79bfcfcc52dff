import { setTimeout as sleep } from 'node:timers/promises'

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
