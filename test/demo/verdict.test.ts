import { describe, expect, test } from 'vitest'
import type { TableFacts } from '../../src/demo/table.ts'
import { type Evidence, exitCodeOf, judge, type Strike } from '../../src/demo/verdict.ts'
import type { Testimony } from '../../src/demo/witness.ts'

/** Ten rows in batches of five; release 1 is struck at 100 while it works on ids 1 to 5, release 2 goes on. */
const ROWS = 10
const line = (at: number, release: number, run: number, did: Testimony['did'], from: number): Testimony => ({
  ...{ at, release, job: 'a', run, did, from },
  to: from + 4,
})
const LEFT = [line(50, 1, 1, 'begin', 1), line(90, 1, 1, 'insert', 1)]
const ON = (from: number, at = 200) => [line(at, 2, 2, 'begin', from), line(at + 10, 2, 2, 'insert', from)]
const DONE = line(400, 2, 2, 'done', 0)

function strike(what: Partial<Strike>): Strike {
  return { fate: 'stop', release: 1, at: 100, inTime: true, wokeAt: undefined, ...what }
}

/** @param writers of ids 1 to 10, in the order in which they are read from the table; [] is nobody. */
function tableOf(writers: readonly (readonly number[])[], wrong = 0): TableFacts {
  const times = Uint8Array.from([0, ...writers.map((each) => each.length)])
  const writer = Int32Array.from([0, ...writers.map((each) => each[0] ?? 0)])
  const again = writers.flatMap((each, index) => each.slice(1).map((release) => ({ id: index + 1, release })))
  return { rows: writers.flat().length + wrong, wrong, times, writer, again }
}

const five = (...writers: number[]) => Array.from({ length: 5 }, () => writers)

function judged(evidence: Partial<Evidence>): ReturnType<typeof judge> {
  return judge({ rows: ROWS, table: tableOf([...five(2), ...five(2)]), lines: [], strikes: [], wallMs: 1, ...evidence })
}

describe('rows', () => {
  test('all there, once', () => expect(judged({})).toMatchObject({ imported: 10, missing: 0, duplicates: 0 }))
  test('a hole', () => {
    const verdict = judged({ table: tableOf([[], ...five(1), ...five(2).slice(1)]) })
    expect(verdict).toMatchObject({ imported: 9, missing: 1, duplicates: 0 })
    expect(exitCodeOf(verdict)).toBe(1)
  })
  test('a double', () => {
    const verdict = judged({ table: tableOf([[1, 2], ...five(1), ...five(2).slice(1)]) })
    expect(verdict).toMatchObject({ imported: 11, missing: 0, duplicates: 1 })
    expect(exitCodeOf(verdict)).toBe(1)
  })
  test('a hole and a double do not make up for each other', () => {
    expect(judged({ table: tableOf([[1, 1], [], ...five(1), ...five(2).slice(2)]) })).toMatchObject({
      ...{ imported: 10, missing: 1, duplicates: 1 },
    })
  })
  test('a row with a wrong value is one too many, and the right one is missing', () => {
    expect(judged({ table: tableOf([[], ...five(1), ...five(2).slice(1)], 1) })).toMatchObject({
      ...{ imported: 10, missing: 1, duplicates: 1 },
    })
  })
  test('work done again is counted by the row', () => {
    const overlap = [line(1, 1, 1, 'insert', 1), line(2, 2, 2, 'insert', 3), line(3, 2, 2, 'insert', 3)]
    expect(judged({ lines: overlap }).redone).toBe(3 + 5)
  })
})

describe('hand-offs', () => {
  test('a job that was under way goes on elsewhere', () => {
    expect(judged({ lines: [...LEFT, ...ON(6)], strikes: [strike({})] }).handoffs).toBe(1)
  })
  test.each([
    ['it was done', [...LEFT, line(95, 1, 1, 'done', 0)], {}],
    ['it did not go on', LEFT, {}],
    ['it went on before the signal: an earlier fault had taken it', [...LEFT, ...ON(6, 99)], {}],
    ['the worker did not leave in time', [...LEFT, ...ON(6)], { inTime: false }],
    ['the worker was killed', [...LEFT, ...ON(6)], { fate: 'kill' as const }],
  ])('none: %s', (_, lines, what) => {
    expect(judged({ lines, strikes: [strike(what)] }).handoffs).toBe(0)
  })
})

describe('kills in an open batch', () => {
  const kill = strike({ fate: 'kill', inTime: false })
  test('inserted, and gone', () => {
    expect(judged({ lines: [...LEFT, ...ON(1), DONE], strikes: [kill] }).kills).toBe(1)
  })
  test('none: its rows are there, so it was committed', () => {
    const table = tableOf([...five(1), ...five(2)])
    expect(judged({ lines: [...LEFT, ...ON(6)], strikes: [kill], table }).kills).toBe(0)
  })
  test('none: nothing was inserted yet', () => {
    expect(judged({ lines: [...LEFT.slice(0, 1), ...ON(1)], strikes: [kill] }).kills).toBe(0)
  })
})

describe('writes of a worker that woke up', () => {
  const freeze = strike({ fate: 'freeze', inTime: false, wokeAt: 300 })
  const woken = [LEFT[0] as Testimony, ...ON(1), line(310, 1, 1, 'insert', 1)]
  test('refused: it wrote, and nothing arrived', () => {
    expect(judged({ lines: woken, strikes: [freeze] }).zombieWritesRefused).toBe(1)
  })
  test('not refused: its rows are there too', () => {
    const table = tableOf([...five(2, 1), ...five(2)])
    expect(judged({ lines: woken, strikes: [freeze], table })).toMatchObject({ zombieWritesRefused: 0, duplicates: 5 })
  })
  test.each([
    ['it never woke', woken, { wokeAt: undefined }],
    ['it did not try', woken.slice(0, -1), {}],
    ['it was before the freeze', [...LEFT, ...ON(6)], {}],
    ['nobody had taken over', [LEFT[0] as Testimony, line(310, 1, 1, 'insert', 1)], {}],
  ])('none: %s', (_, lines, what) => {
    expect(judged({ lines, strikes: [{ ...freeze, ...what }] }).zombieWritesRefused).toBe(0)
  })
})

test.each([
  [{}, 0],
  [{ handoffs: 4 }, 2],
  [{ kills: 2 }, 2],
  [{ zombieWritesRefused: 0 }, 2],
  [{ missing: 1, handoffs: 0 }, 1],
  [{ duplicates: 1, zombieWritesRefused: 0 }, 1],
])('the exit code of %j is %i', (what, code) => {
  const enough = { ...judged({}), handoffs: 5, kills: 3, zombieWritesRefused: 1 }
  expect(exitCodeOf({ ...enough, ...what })).toBe(code)
})
