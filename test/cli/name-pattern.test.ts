import { expect, test } from 'vitest'
import { likePattern, readablePattern } from '../../src/cli/name-pattern.ts'

test.each([
  ['host-a:*', 'host-a:%'],
  ['100%_a', '100\\%\\_a'],
  ['a\\b*', 'a\\\\b%'],
])('%s is %s to the database, and back', (pattern, like) => {
  expect(likePattern(pattern)).toBe(like)
  expect(readablePattern(like)).toBe(pattern)
})
