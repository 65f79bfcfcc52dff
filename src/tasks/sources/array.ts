import { HoldfastError } from '../../model/errors.ts'
import type { Source } from '../source.ts'
import { refuseOption } from './check.ts'
import { cursorCount, cursorObject } from './cursor.ts'

/**
 * The elements of an array, in order. The cursor is the number of elements done.
 *
 * The array must be the same on every run: make it from the job's input or from constants. For what changes or is
 * long, use `rows`. An array that has become shorter than the cursor is refused with HF_SOURCE_CHANGED.
 */
export function array<const Item>(items: readonly Item[]): Source<Item> {
  if (!Array.isArray(items)) refuseOption('The items of array()', 'an array', items)
  const name = `array of ${items.length}`
  return {
    name,
    async *open(cursor, { signal }) {
      for (let index = startOf(name, cursor, items.length); index < items.length; index++) {
        signal.throwIfAborted()
        yield { item: items[index] as Item, cursor: { index: index + 1 } }
      }
    },
    count: async () => items.length,
  }
}

function startOf(name: string, cursor: unknown, length: number): number {
  if (cursor === undefined) return 0
  const { index } = cursorObject(name, cursor, ['index'])
  const done = cursorCount(name, cursor, index, 'index')
  if (done <= length) return done
  throw new HoldfastError(
    'HF_SOURCE_CHANGED',
    `The source «${name}» had at least ${done} items when the job saved its cursor`,
  )
}
