import { Readable } from 'node:stream'
import { beforeAll, describe, expect, test } from 'vitest'
import { array, batches, csv, iterable, jsonl, nested, pages, range, rows, throttled } from '../../../src/sources.ts'
import type { Source } from '../../../src/tasks/source.ts'
import { openTestDatabase, type TestQueries } from './database.ts'
import { collect, inChunks, testContext, throughJson } from './support.ts'

const CSV = '\uFEFFid,name\r\n1,"Zoë, ""Z"""\r\n\r\n2,"two\r\nlines"\n3,𝄞\n4,'
const JSONL = '\uFEFF{"id":1}\r\n\n[2,"𝄞"]\n"three"\nnull\n5'
const PAGES: Record<string, { items: number[]; next?: string }> = {
  start: { items: [1, 2, 3], next: 'b' },
  b: { items: [], next: 'c' },
  c: { items: [4, 5] },
}

/** Every source, made anew for each run as `items` of a task does. */
const SOURCES: Record<string, { make: () => Source<unknown>; items: readonly unknown[] }> = {
  array: { make: () => array(['a', 'b', 'c']), items: ['a', 'b', 'c'] },
  'array, empty': { make: () => array([]), items: [] },
  range: { make: () => range(0, 4), items: [0, 1, 2, 3] },
  'range, down by two': { make: () => range(5, -1, -2), items: [5, 3, 1] },
  'iterable: a Set': { make: () => iterable(new Set(['a', 'b'])), items: ['a', 'b'] },
  'iterable: a generator': {
    make: () =>
      iterable(async function* () {
        yield* [1, 2, 3]
      }),
    items: [1, 2, 3],
  },
  'pages with an empty one': {
    make: () =>
      pages(async (token: string | undefined) => {
        const { items, next } = PAGES[token ?? 'start']!
        return { items, next }
      }),
    items: [1, 2, 3, 4, 5],
  },
  csv: {
    make: () => csv(inChunks(CSV, 5)),
    items: [
      { id: '1', name: 'Zoë, "Z"' },
      { id: '2', name: 'two\r\nlines' },
      { id: '3', name: '𝄞' },
      { id: '4', name: '' },
    ],
  },
  'csv without a header': {
    make: () => csv(inChunks('1;2\n3;4\n', 3), { columns: ['a', 'b'], delimiter: ';' }),
    items: [
      { a: '1', b: '2' },
      { a: '3', b: '4' },
    ],
  },
  'csv from a node stream': {
    make: () => csv((offset) => Readable.from([Buffer.from('n\n1\n2\n').subarray(offset)])),
    items: [{ n: '1' }, { n: '2' }],
  },
  jsonl: { make: () => jsonl(inChunks(JSONL, 3)), items: [{ id: 1 }, [2, '𝄞'], 'three', null, 5] },
  'rows up': {
    make: () => rows('select * from pairs where a < $1', { key: ['a', 'b'], params: [3], pageSize: 2 }),
    items: [
      { a: 1, b: 'x' },
      { a: 1, b: 'y' },
      { a: 2, b: 'x' },
    ],
  },
  'rows down': {
    make: () => rows('select a, b from pairs', { key: ['a', 'b'], direction: 'desc', pageSize: 1 }),
    items: [
      { a: 3, b: '' },
      { a: 2, b: 'x' },
      { a: 1, b: 'y' },
      { a: 1, b: 'x' },
    ],
  },
  batches: { make: () => batches(range(0, 5), 2), items: [[0, 1], [2, 3], [4]] },
  'batches of rows': {
    make: () => batches(rows('select * from pairs', { key: ['a', 'b'], pageSize: 2 }), 3),
    items: [
      [
        { a: 1, b: 'x' },
        { a: 1, b: 'y' },
        { a: 2, b: 'x' },
      ],
      [{ a: 3, b: '' }],
    ],
  },
  'batches of csv': {
    make: () => batches(csv(inChunks(CSV, 4)), 3),
    items: [
      [
        { id: '1', name: 'Zoë, "Z"' },
        { id: '2', name: 'two\r\nlines' },
        { id: '3', name: '𝄞' },
      ],
      [{ id: '4', name: '' }],
    ],
  },
  throttled: { make: () => throttled(range(0, 3), { limit: 1_000, per: '1s' }), items: [0, 1, 2] },
  nested: {
    make: () => nested(range(0, 3), (n) => array(Array.from({ length: n }, (_, i) => `${n}${i}`))),
    items: [
      [1, '10'],
      [2, '20'],
      [2, '21'],
    ],
  },
  'nested in three levels': {
    make: () =>
      nested(
        array(['a', 'b']),
        () => range(0, 2),
        (letter, n) => batches(array([`${letter}${n}x`, `${letter}${n}y`, `${letter}${n}z`]), 2),
      ),
    items: ['a0', 'a1', 'b0', 'b1'].flatMap((at) => [
      [at[0], Number(at[1]), [`${at}x`, `${at}y`]],
      [at[0], Number(at[1]), [`${at}z`]],
    ]),
  },
  'nested in rows': {
    make: () =>
      nested(rows<{ a: number; b: string }>('select * from pairs where a > 1', { key: ['a', 'b'] }), ({ a }) =>
        range(0, a),
      ),
    items: [
      [{ a: 2, b: 'x' }, 0],
      [{ a: 2, b: 'x' }, 1],
      [{ a: 3, b: '' }, 0],
      [{ a: 3, b: '' }, 1],
      [{ a: 3, b: '' }, 2],
    ],
  },
}

let database: TestQueries
beforeAll(async () => {
  database = await openTestDatabase(`
    create table pairs (a int, b text collate "C", primary key (a, b));
    insert into pairs values (1, 'x'), (1, 'y'), (2, 'x'), (3, '')`)
  return () => database.close()
})

const context = () => testContext({ query: database.query })
const open = (make: () => Source<unknown>, cursor?: unknown) => collect(make(), cursor, context())

describe.each(Object.entries(SOURCES))('%s', (_name, { make, items }) => {
  test('gives every item once, in order', async () => {
    expect((await open(make)).map(({ item }) => item)).toEqual(items)
  })

  test('resumed at every position, the rest follows', async () => {
    const whole = await open(make)
    for (const [index, { cursor }] of whole.entries()) {
      const rest = await open(make, cursor)
      expect(rest.map(({ item }) => item)).toEqual(items.slice(index + 1))
      expect(throughJson(rest.map(({ cursor }) => cursor))).toEqual(
        throughJson(whole.slice(index + 1).map(({ cursor }) => cursor)),
      )
    }
  })

  test('resumed after every single item, the whole comes together', async () => {
    const seen: unknown[] = []
    let cursor: unknown
    for (let run = 0; run <= items.length; run++) {
      for await (const next of make().open(throughJson(cursor), context())) {
        seen.push(next.item)
        cursor = next.cursor
        break
      }
    }
    expect(seen).toEqual(items)
  })

  test('an aborted signal stops it before the first item, with the reason', async () => {
    const aborted = context()
    aborted.abort('deploy')
    if (items.length === 0) return
    await expect(collect(make(), undefined, aborted)).rejects.toBe('deploy')
  })

  test('an abort between two items stops it there', async () => {
    const running = testContext({ query: database.query })
    const seen: unknown[] = []
    const iterate = async () => {
      for await (const { item } of make().open(undefined, running)) {
        seen.push(item)
        running.abort('deploy')
      }
    }
    if (items.length < 2) return
    await expect(iterate()).rejects.toBe('deploy')
    expect(seen).toEqual(items.slice(0, 1))
  })

  test('a cursor that it cannot have given is refused, never taken for the start', async () => {
    for (const foreign of [
      null,
      0,
      'x',
      [],
      {},
      { of: 'another source' },
      { byte: -1, line: 0, record: 0 },
      { index: 'x' },
      { after: 1.5 },
      { taken: -1 },
    ]) {
      await expect(open(make, foreign), JSON.stringify(foreign)).rejects.toThrow(/HF_CURSOR_MISMATCH/)
    }
  })
})

test('a source refuses the cursors of all sources of another kind', async () => {
  const kinds = [
    'array',
    'range',
    'iterable: a Set',
    'pages with an empty one',
    'csv',
    'jsonl',
    'rows up',
    'rows down',
    'nested',
  ]
  const cursors = await Promise.all(kinds.map(async (kind) => (await open(SOURCES[kind]!.make))[0]?.cursor))
  for (const [index, kind] of kinds.entries()) {
    for (const [other, cursor] of cursors.entries()) {
      if (other === index) continue
      await expect(open(SOURCES[kind]!.make, cursor), `${kind} at ${JSON.stringify(cursor)}`).rejects.toThrow(
        /HF_CURSOR_MISMATCH/,
      )
    }
  }
})

test('the message about a foreign cursor names the source and the cursor, and says what to do', async () => {
  const error = await open(() => range(0, 3), { index: 2 }).catch((thrown) => thrown)
  expect(error.message).toContain('range 0 to 3')
  expect(error.message).toContain('{"index":2}')
  expect(error.cure).toContain('a new name')
})
