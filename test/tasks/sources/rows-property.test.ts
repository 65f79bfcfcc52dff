import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rows } from '../../../src/sources.ts'
import { openTestDatabase, type TestQueries } from './database.ts'
import { collect, testContext } from './support.ts'

let database: TestQueries
beforeAll(async () => {
  // The default collation orders "a", "B", "ä" as people do: the comparison and the order must agree all the same.
  database = await openTestDatabase(`
    create table t ("a""1" bigint, b text, c timestamptz, d numeric, n int not null, primary key ("a""1", b, c, d))`)
})
afterAll(() => database.close())

/** Few different values, so that rows share the first parts of their keys. */
const key = fc.tuple(
  fc.constantFrom('-9223372036854775808', '-1', '0', '9007199254740993', '9007199254740994'),
  fc.string({ unit: fc.constantFrom('a', 'B', 'ä', '$', "'", '"', '\\', ' ', '𝄞', '%'), maxLength: 2 }),
  fc.constantFrom('2026-01-01 00:00:00.000001+00', '2026-01-01 00:00:00.000002+00', 'infinity'),
  fc.constantFrom('0.1', '0.10000000000000000001', '-5'),
)
const COLUMNS = ['a"1', 'b', 'c', 'd'] as const

test('any rows, keys of one to five columns, both directions, any page size: every row once, resumed anywhere', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(key, { maxLength: 25, selector: (values) => values.join('|') }),
      fc.shuffledSubarray([...COLUMNS]),
      fc.constantFrom('asc', 'desc'),
      fc.integer({ min: 1, max: 12 }),
      fc.nat(),
      async (keys, some, direction, pageSize, position) => {
        await database.pool.query('truncate t')
        await database.pool.query(
          'insert into t select * from unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::numeric[], $5::int[])',
          [...COLUMNS.map((_, column) => keys.map((values) => values[column])), keys.map((_, n) => n)],
        )
        const names = [...some, 'n']
        const sorted = await database.pool.query(
          `select n from t order by ${names.map((name) => `"${name.replaceAll('"', '""')}" ${direction}`).join(', ')}`,
        )
        const expected = sorted.rows.map(({ n }) => n)
        const source = rows('select * from t where n >= $1', { key: names, direction, pageSize, params: [0] })
        const context = () => testContext({ query: database.query })

        const whole = await collect(source, undefined, context())
        expect(whole.map(({ item }) => item['n'])).toEqual(expected)
        const at = position % (keys.length + 1)
        const rest = await collect(source, at === 0 ? undefined : whole[at - 1]!.cursor, context())
        expect(rest).toEqual(whole.slice(at))
      },
    ),
    { numRuns: 150 },
  )
})
