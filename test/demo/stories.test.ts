import { expect, test } from 'vitest'
import { eachOnce } from '../../src/demo/stories/notes.ts'
import { isTrue } from '../../src/demo/stories/tell.ts'

test.each<[string, (number | undefined)[], boolean]>([
  ['each once', [2, 0, 1], true],
  ['one is missing', [0, 2], false],
  ['one is double', [0, 1, 2, 2], false],
  ['one is double, another one missing', [0, 1, 1], false],
  ['one that there is not', [0, 1, 3], false],
  ['one without a number', [0, 1, undefined], false],
])('the witness of a story: %s', (_what, items, right) => expect(eachOnce(items, 3)).toBe(right))

test('a story is true when all that it claims is so, and it claims something', () => {
  const [right, wrong] = [true, false].map((holds) => ({ what: 'it', holds }))
  expect(isTrue([])).toBe(false)
  expect(isTrue([right, right] as never)).toBe(true)
  expect(isTrue([right, wrong] as never)).toBe(false)
})
