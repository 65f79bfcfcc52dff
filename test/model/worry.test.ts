import { describe, expect, test } from 'vitest'
import { worryOfLength, worryOfStops } from '../../src/model/worry.ts'

describe('a job that goes on from its cursor', () => {
  test.each([
    [0, undefined],
    [2, undefined],
    [3, 'no-progress'],
    [40, 'no-progress'],
  ])('%i interruptions without progress: %s', (fruitless, kind) => {
    expect(worryOfStops({ fruitless, resumes: true })?.kind).toBe(kind)
  })
})

describe('a job that starts over', () => {
  test.each([
    [0, undefined],
    [1, undefined],
    [2, 'starts-over'],
    [3, 'starts-over'],
  ])('%i interruptions: %s, so it is said before the third start', (fruitless, kind) => {
    expect(worryOfStops({ fruitless, resumes: false })?.kind).toBe(kind)
  })
})

test('a long run is named with its length and its limit', () => {
  expect(worryOfLength(15 * 60_000 - 1, 15 * 60_000)).toBeUndefined()
  expect(worryOfLength(20 * 60_000, 15 * 60_000)).toMatchObject({
    kind: 'runs-long',
    message: expect.stringMatching(/running for 20m.*policy\.maxRun is 15m/),
  })
})
