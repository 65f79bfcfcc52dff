import { expect, test } from 'vitest'
import { Stillness } from '../../src/engine/stillness.ts'

/** As if this thread, the one that beats, could not run. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

test('a late beat tells that the process stood still, to both threads and for a while', () => {
  const thread = new Stillness()
  const main = new Stillness(thread.shared)
  expect(main.within(60_000), 'before the first beat').toBe(false)
  expect(thread.beat()).toBe(false)
  standStill(50)
  expect(thread.beat(), 'in time').toBe(false)
  expect(main.within(60_000)).toBe(false)

  standStill(1_100)
  expect(main.within(60_000), 'at the very moment of waking').toBe(true)
  expect(thread.beat()).toBe(true)
  expect(thread.beat(), 'once').toBe(false)
  expect(main.within(60_000)).toBe(true)
  standStill(50)
  expect(main.within(10), 'that was longer ago').toBe(false)
})
