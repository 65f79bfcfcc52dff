import { checkInteger } from '../../model/options.ts'
import type { Source } from '../source.ts'
import { refuseOption } from './check.ts'
import { cursorObject, mismatch } from './cursor.ts'

/**
 * Whole numbers from `from` to before `to`: `range(0, 3)` gives 0, 1, 2, like `slice` and Python's `range`; for "n
 * times" take `range(0, n)`. With a negative `step` it counts down: `range(3, 0, -1)` gives 3, 2, 1. The cursor is
 * the last number done, so that a new build may move `to` while the job is under way.
 */
export function range(from: number, to: number, step = 1): Source<number> {
  for (const [name, value] of Object.entries({ from, to, step })) {
    checkInteger(value, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, `\`${name}\` of range()`)
  }
  if (step === 0) refuseOption('`step` of range()', 'a whole number other than 0', step)
  const name = `range ${from} to ${to}${step === 1 ? '' : ` by ${step}`}`
  return {
    name,
    async *open(cursor, { signal }) {
      for (let n = startOf(name, cursor, from, step); step > 0 ? n < to : n > to; n += step) {
        signal.throwIfAborted()
        yield { item: n, cursor: { after: n } }
      }
    },
    count: async () => Math.max(0, Math.ceil((to - from) / step)),
  }
}

function startOf(name: string, cursor: unknown, from: number, step: number): number {
  if (cursor === undefined) return from
  const { after } = cursorObject(name, cursor, ['after'])
  const steps = (Number(after) - from) / step
  if (typeof after === 'number' && Number.isSafeInteger(steps) && steps >= 0) return after + step
  throw mismatch(name, cursor, 'that is not one of its numbers')
}
