import { setTimeout as timer } from 'node:timers/promises'
import { Snooze } from '../../model/control.ts'
import type { Duration } from '../../model/duration.ts'
import type { SourceContext } from '../source.ts'

/**
 * What a promise gives, or the signal's reason as soon as it aborts. The abandoned promise cannot become an unhandled
 * rejection.
 */
export function orAborted<T>(promise: T | PromiseLike<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      Promise.resolve(promise).catch(() => {})
      reject(signal.reason)
      return
    }
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    const settled = () => signal.removeEventListener('abort', onAbort)
    Promise.resolve(promise).then(resolve, reject).finally(settled)
  })
}

/**
 * The values of an iterable that may know nothing of signals, until the signal aborts. A pull that hangs is left
 * behind.
 *
 * One listener for the whole iteration: racing every pull against one long-lived promise would keep a reaction on
 * that promise for every item ever pulled.
 */
export async function* untilAborted<T>(values: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T, void> {
  signal.throwIfAborted()
  const iterator = values[Symbol.asyncIterator]()
  let abandon: ((reason: unknown) => void) | undefined
  const onAbort = () => abandon?.(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  let state: 'resting' | 'pulling' | 'over' = 'resting'
  try {
    for (;;) {
      signal.throwIfAborted()
      state = 'pulling'
      const step = await new Promise<IteratorResult<T, unknown>>((resolve, reject) => {
        abandon = reject
        iterator.next().then(resolve, (error: unknown) => {
          state = 'over'
          reject(error)
        })
      })
      if (step.done === true) {
        state = 'over'
        return
      }
      state = 'resting'
      yield step.value
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    // A generator that hangs in a pull would answer `return` only after that pull: it is asked, but not waited for.
    const closing = state === 'over' ? undefined : iterator.return?.()
    if (state === 'pulling') closing?.then(undefined, () => {})
    else await closing
  }
}

/**
 * The longest wait that keeps the slot. Giving a job back and claiming it again costs about as much as this is worth.
 */
const LONGEST_WAIT_MS = 1_000

/** Waits on the spot when it is short, stopping at once when the signal aborts; a longer wait gives the slot back. */
export async function waitOrSnooze(ms: number, context: SourceContext): Promise<void> {
  if (ms > LONGEST_WAIT_MS) throw new Snooze(`${Math.ceil(ms)}ms` as Duration)
  try {
    await timer(Math.ceil(ms), undefined, { signal: context.signal })
  } catch (error) {
    context.signal.throwIfAborted()
    throw error
  }
}
