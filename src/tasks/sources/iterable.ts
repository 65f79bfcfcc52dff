import { HoldfastError } from '../../model/errors.ts'
import type { Source } from '../source.ts'
import { orAborted, untilAborted } from './abort.ts'
import { refuseOption } from './check.ts'
import { cursorCount, cursorObject } from './cursor.ts'

type AnyIterable<Item> = Iterable<Item> | AsyncIterable<Item>

/**
 * Anything that can be iterated: a Set, a generator, a client library's auto-paging list. The cursor is the number of
 * items done.
 *
 * There is no position to go back to, so a resume takes all items from the start and skips what is done; it says so,
 * with what it cost. The items must come in the same order every time. Where that is too slow, write a source of your
 * own (`docs/guide/sources.md`).
 *
 * @param items the iterable, or a function that makes it; the function gets the signal that says when to stop.
 */
export function iterable<Item>(
  items: AnyIterable<Item> | ((signal: AbortSignal) => AnyIterable<Item> | Promise<AnyIterable<Item>>),
): Source<Item> {
  if (typeof items !== 'function' && !isIterable(items))
    refuseOption('The items of iterable()', 'an iterable or a function', items)
  const name = 'iterable'
  return {
    name,
    async *open(cursor, context) {
      const { signal } = context
      const done = parseTaken(name, cursor)
      const values = typeof items === 'function' ? await orAborted(items(signal), signal) : items
      if (!isIterable(values)) refuseOption('What the function of iterable() returns', 'an iterable', values)
      const began = performance.now()
      let taken = 0
      for await (const item of untilAborted(toAsync(values), signal)) {
        taken++
        if (taken > done) yield { item, cursor: { taken } }
        else if (taken === done) context.warn(skipped(done, performance.now() - began))
      }
      if (taken >= done) return
      throw new HoldfastError(
        'HF_SOURCE_CHANGED',
        `The source «${name}» gave ${taken} items, but ${done} when the job saved its cursor`,
      )
    },
  }
}

function parseTaken(name: string, cursor: unknown): number {
  if (cursor === undefined) return 0
  const { taken } = cursorObject(name, cursor, ['taken'])
  return cursorCount(name, cursor, taken, 'taken')
}

function skipped(count: number, ms: number): string {
  const cost = `${count} item${count === 1 ? '' : 's'} in ${Math.round(ms)} ms`
  return `iterable() has no position to go back to: this resume produced and skipped ${cost}, and the next one will again`
}

function isIterable<Item>(value: unknown): value is AnyIterable<Item> {
  if (typeof value !== 'object' || value === null) return false
  return Symbol.asyncIterator in value || Symbol.iterator in value
}

/** `yield*` awaits the values of a plain iterable, as `for await` does. */
async function* toAsync<Item>(values: AnyIterable<Item>): AsyncGenerator<Item, void> {
  yield* values
}
