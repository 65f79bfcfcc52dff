import { AsyncLocalStorage } from 'node:async_hooks'
import type { Attempt } from './attempt.ts'

const storage = new AsyncLocalStorage<Attempt>()

/**
 * Whose code runs now, also deep inside what it awaits, in its timers, and where an error surfaces that nobody caught. The engine's own
 * work stays outside: a timer of it that was started in a run would be that run's for ever.
 */
export const current = {
  run<Args extends unknown[], T>(attempt: Attempt, code: (...args: Args) => T, ...args: Args): T {
    return storage.run(attempt, code, ...args)
  },
  get(): Attempt | undefined {
    return storage.getStore()
  },
}
