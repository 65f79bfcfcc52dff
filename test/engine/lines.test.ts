import { expect, test } from 'vitest'
import { Lines } from '../../src/engine/isolation/lines.ts'

function hear(...pieces: readonly string[]): string[] {
  const heard: string[] = []
  const lines = new Lines((line) => heard.push(line))
  for (const piece of pieces) lines.add(piece)
  lines.flush()
  return heard
}

test('lines are whole, however they arrive', () => {
  expect(hear('one\ntw', 'o\r\nthree', '')).toEqual(['one', 'two', 'three'])
  expect(hear('\n\n', 'a\n', '   \nb')).toEqual(['a', 'b'])
})

test('what never ends its line is cut, and holds no more memory than that', () => {
  const heard: string[] = []
  const lines = new Lines((line) => heard.push(line))
  for (let n = 0; n < 100; n++) lines.add('x'.repeat(1_000))
  expect(heard.length).toBeGreaterThan(9)
  expect(heard.every(({ length }) => length < 10_000)).toBe(true)
})
