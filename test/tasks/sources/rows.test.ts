import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type RowsOptions, rows } from '../../../src/sources.ts'
import { openTestDatabase, type TestQueries } from './database.ts'
import { collect, itemsOf, testContext, untilError } from './support.ts'

type Options = RowsOptions<Record<string, unknown>>

let database: TestQueries
beforeAll(async () => {
  database = await openTestDatabase(`
    create table orders (id bigint primary key, shop text not null, note text, at timestamptz not null default now());
    insert into orders select n, 'shop ' || n % 3, case when n % 2 = 0 then 'even' end from generate_series(1, 10) as n;
    create table "odd "" names" ("Key" int, "k 2" int, primary key ("Key", "k 2"));
    insert into "odd "" names" values (1, 1), (1, 2), (2, 1)`)
})
afterAll(() => database.close())
beforeEach(() => {
  database.log.length = 0
})

const context = () => testContext({ query: database.query })
const read = (sql: string, options: Options) => collect(rows(sql, options), undefined, context())
const refused = async (sql: string, options: Options) =>
  (await untilError(rows(sql, options), undefined, context())).error

describe('the query', () => {
  test('is read page by page, each an index scan from the key on', async () => {
    const items = await read('select id from orders', { key: 'id', pageSize: 4 })
    expect(items.map(({ item }) => item)).toEqual(Array.from({ length: 10 }, (_, n) => ({ id: String(n + 1) })))
    expect(database.log).toHaveLength(1 + 3) // a look for NULL keys, and three pages
    expect(database.log[2]).toContain('where (holdfast_rows."id") > ($1) order by holdfast_rows."id" asc limit 5')
  })

  test('gives whole rows, with nothing of ours in them', async () => {
    const [first] = await read('select id, note, at from orders where id = 2', { key: ['at', 'id'] })
    expect(Object.keys(first!.item)).toEqual(['id', 'note', 'at'])
    expect((first!.item as { at: unknown }).at).toBeInstanceOf(Date)
  })

  test('keeps its own parameters, with ours after them', async () => {
    const options = { key: 'id', params: [3, 'shop 1'], pageSize: 1 } as const
    const ids = await read('select id from orders where id > $1 and shop = $2', options)
    expect(ids.map(({ item }) => item)).toEqual([{ id: '4' }, { id: '7' }, { id: '10' }])
  })

  test.each([
    ['a final semicolon', 'select id from orders where id = 1;'],
    ['a final comment', 'select id from orders where id = 1 -- the first;'],
    ['both', 'select id from orders where id = 1; -- the first; one\n /* or /* not */ */ ;'],
    [
      'a semicolon and a parameter in quotes',
      `select id, ';$9' as "a;$9", $$;$9$$ as b, E'\\';$9' as c from orders where id = 1`,
    ],
    ['a WITH', 'with one as (select 1::bigint as id) select * from one'],
    ['VALUES', 'select * from (values (1::bigint)) as v (id)'],
    ['a limit of its own', 'select id from orders order by id limit 1'],
    ['an aggregate', 'select min(id) as id from orders group by shop having min(id) = 1'],
  ])('may have %s', async (_what, sql) => {
    const ids = (await read(sql, { key: 'id', pageSize: 1 })).map(({ item }) => item['id'])
    expect(ids).toEqual(['1'])
  })

  test('may have columns with any name', async () => {
    const items = await read('select "Key", "k 2" from "odd "" names"', {
      key: ['Key', 'k 2'],
      direction: 'desc',
      pageSize: 1,
    })
    expect(items.map(({ item }) => Object.values(item))).toEqual([
      [2, 1],
      [1, 2],
      [1, 1],
    ])
    expect(items[0]!.cursor).toEqual({ before: { Key: '2', 'k 2': '1' } })
  })

  test('uses the index for the millionth page as for the first', async () => {
    await database.pool.query(`
      create table many (a int, b int, primary key (a, b));
      insert into many select n / 100, n % 100 from generate_series(1, 50000) as n;
      analyze many`)
    await collect(
      rows('select * from many where a >= $1', { key: ['a', 'b'], params: [0], pageSize: 100 }),
      { after: { a: '498', b: '5' } },
      context(),
    )
    const { rows: plan } = await database.pool.query(`explain ${database.log[0]}`, [0, '498', '5'])
    const text = plan.map((line) => line['QUERY PLAN']).join('\n')
    expect(text).toContain('Index')
    expect(text).toMatch(/Index Cond: .*ROW\(a, b\) > ROW\(498, 5\)/)
    expect(text).not.toContain('Sort')
  })

  test('counts when it is told to, and only then', async () => {
    expect(
      await rows('select * from orders where id > $1', { key: 'id', params: [7], count: true }).count?.(context()),
    ).toBe(3)
    expect(rows('select * from orders', { key: 'id' }).count).toBeUndefined()
  })

  test('runs on until a row that came in meanwhile, too', async () => {
    await database.pool.query('create table growing (id int primary key); insert into growing values (1), (2), (3)')
    const seen: unknown[] = []
    for await (const { item } of rows('select id from growing', { key: 'id', pageSize: 1 }).open(
      undefined,
      context(),
    )) {
      if (seen.length === 0)
        await database.pool.query('insert into growing values (4); delete from growing where id = 3')
      seen.push(item['id'])
    }
    expect(seen).toEqual([1, 2, 4])
  })
})

describe('the cursor keeps every digit of', () => {
  // Sessions that write dates in two old ways, the first of which the second reads as another date, and a driver told to
  // read bigints as numbers: none of it may matter.
  let german: TestQueries
  let american: pg.Pool
  beforeAll(async () => {
    const options = { options: '-c DateStyle=German', types: numbersForBigints }
    german = await openTestDatabase("create type mood as enum ('sad', 'ok', 'happy')", options)
    american = new pg.Pool({
      connectionString: german.url,
      max: 1,
      options: '-c DateStyle=SQL,MDY -c TimeZone=Asia/Kolkata',
    })
    american.on('error', () => {})
  })
  afterAll(async () => {
    await american.end()
    await german.close()
  })

  test.each([
    ['bigint', ['-9223372036854775808', '9007199254740993', '9007199254740995']],
    ['numeric', ['-0.1', '0.10000000000000000001', '12345678901234567890.5']],
    ['double precision', ['-1e300', '0.1', '0.30000000000000004', 'Infinity', 'NaN']],
    ['real', ['0.1', '0.2']],
    [
      'timestamptz',
      [
        '-infinity',
        '0044-03-15 12:00:00+00 BC',
        '2026-03-29 01:59:59.999999+00',
        '2026-03-29 02:00:00.000001+00',
        'infinity',
      ],
    ],
    ['timestamp', ['2026-01-02 00:00:00.000001', '2026-01-02 00:00:00.000002', '2026-02-01 00:00:00']],
    ['date', ['0044-03-15 BC', '2026-01-02', '2026-02-01', 'infinity']],
    ['time', ['00:00:00.000001', '24:00:00']],
    ['uuid', ['00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000002']],
    ['text collate "C"', ['', ' ', '"', '$1', "'", 'A', '\\', 'a', 'ä', '𝄞']],
    ['char(3)', ['a', 'b ']],
    ['bytea', ['\\x00', '\\x0001', '\\xff']],
    ['boolean', ['f', 't']],
    ['mood', ['sad', 'ok', 'happy']],
    ['int[]', ['{}', '{1,2}', '{10}']],
    ['inet', ['10.0.0.1', '10.0.0.2']],
    ['oid', ['1', '4294967295']],
  ])('%s', async (type, values) => {
    const literal = type.replace(' collate "C"', '')
    await german.pool.query(`drop table if exists t; create table t (k ${type} primary key, n int)`)
    await german.pool.query(
      `insert into t select v::${literal}, n from unnest($1::text[]) with ordinality as u (v, n)`,
      [values],
    )
    const resumed = () => testContext({ query: (text, values) => american.query(text, values as unknown[]) })
    for (const direction of ['asc', 'desc'] as const) {
      const source = rows('select * from t', { key: 'k', direction, pageSize: 2 })
      const whole = await collect(source, undefined, testContext({ query: german.query }))
      const order = values.map((_, index) => index + 1)
      if (direction === 'desc') order.reverse()
      expect(whole.map(({ item }) => item['n'])).toEqual(order)
      for (const [index, { cursor }] of whole.entries()) {
        expect((await itemsOf(source, cursor, resumed())).map((item) => item['n'])).toEqual(order.slice(index + 1))
      }
    }
  })
})

const numbersForBigints = {
  getTypeParser: (oid: number, format?: 'text') => (oid === 20 ? Number : pg.types.getTypeParser(oid, format)),
} as pg.CustomTypesConfig

describe('a key that cannot order the rows: HF_SOURCE_KEY', () => {
  test('NULL in it is found before the first row, with an explanation', async () => {
    const error = await refused('select * from orders where id > $1', { key: ['note', 'id'], params: [0] })
    expect(error).toMatchObject({
      code: 'HF_SOURCE_KEY',
      message: expect.stringContaining('key column "note" is NULL in some rows. NULL compares with nothing'),
    })
    expect(database.log).toHaveLength(1)
  })

  test('NULL in it is refused when it only turns up in a page', async () => {
    const query = database.query
    const blind = testContext({
      query: (text, values) =>
        text.includes('exists (') ? Promise.resolve({ rows: [{ n1: false }] }) : query(text, values),
    })
    const { error } = await untilError(rows('select * from orders', { key: 'note' }), undefined, blind)
    expect(error).toMatchObject({ code: 'HF_SOURCE_KEY' })
  })

  test('a search for NULLs that takes too long is given up with a warning', async () => {
    const timeout = Object.assign(new Error('canceling statement due to statement timeout'), { code: '57014' })
    const query = database.query
    const slow = testContext({
      query: (text, values) => (text.includes('exists (') ? Promise.reject(timeout) : query(text, values)),
    })
    expect(await itemsOf(rows('select id from orders where id < 3', { key: 'id' }), undefined, slow)).toHaveLength(2)
    expect(slow.warnings).toEqual([
      expect.stringContaining('could not find out in time whether id holds NULLs; such rows are left out'),
    ])
  })

  test('a resumed job does not search again', async () => {
    await collect(rows('select * from orders', { key: 'id' }), { after: { id: '9' } }, context())
    expect(database.log).toHaveLength(1)
  })

  test.each([1, 2, 3, 100])(
    'two rows with one key are found wherever the page ends (%s rows a page)',
    async (pageSize) => {
      const { items, error } = await untilError(
        rows('select * from (values (1, 1), (2, 2), (2, 3), (3, 4)) as v (a, b)', { key: 'a', pageSize }),
        undefined,
        context(),
      )
      expect(items).toEqual([{ a: 1, b: 1 }])
      expect(error).toMatchObject({
        code: 'HF_SOURCE_KEY',
        message: expect.stringContaining('two rows have the same key (a = "2")'),
      })
    },
  )

  test('a column that the result does not have, with the one that was meant', async () => {
    expect(await refused('select id, shop from orders', { key: 'idd' })).toMatchObject({
      code: 'HF_SOURCE_KEY',
      message: expect.stringMatching(
        /no column "idd"; the key must be among the selected columns\. Did you mean 'id'\?/,
      ),
    })
    expect(await refused('select id as "Id", shop from orders', { key: 'id' })).toMatchObject({
      message: expect.stringContaining("Did you mean 'Id'?"),
    })
    expect(await refused('select shop from orders', { key: 'elephant' })).toMatchObject({
      message: expect.stringContaining('It has shop.'),
    })
    expect(await refused('select shop from orders where false', { key: 'id' })).toMatchObject({ code: 'HF_SOURCE_KEY' })
  })

  test('a column that the result has twice', async () => {
    expect(await refused('select a.id, b.id from orders a, orders b', { key: 'id' })).toMatchObject({
      code: 'HF_SOURCE_KEY',
      message: expect.stringContaining('several columns named "id"'),
    })
  })

  test('a column of a type without an order', async () => {
    expect(await refused(`select '{}'::json as k`, { key: 'k' })).toMatchObject({
      code: 'HF_SOURCE_KEY',
      message: expect.stringContaining('no order'),
    })
  })
})

describe('errors of the query itself are left as they are', () => {
  test.each([
    ['a syntax error', 'select from where', '42601'],
    ['a missing table', 'select * from nowhere', '42P01'],
    ['a missing column of its own', 'select nope from orders', '42703'],
    ['a statement that is no select', 'delete from orders returning id', '42601'],
    ['a failing expression', 'select 1 / (id - id) as id from orders', '22012'],
  ])('%s', async (_what, sql, code) => {
    expect(await refused(sql, { key: 'id' })).toMatchObject({ code })
  })
})

describe('a cursor of another query', () => {
  const open = (cursor: unknown, options: Options = { key: 'id' }) =>
    untilError(rows('select * from orders', options), cursor, context())

  test.each([
    ['of another key', { after: { shop: 'x' } }],
    ['of more columns', { after: { id: '1', shop: 'x' } }],
    ['of the other direction', { before: { id: '1' } }],
    ['with a number for a text', { after: { id: 1 } }],
    ['of another type', { after: { id: 'abc' } }],
    ['out of the range of its type', { after: { id: '99999999999999999999' } }],
  ])('%s is refused', async (_what, cursor) => {
    expect((await open(cursor)).error).toMatchObject({ code: 'HF_CURSOR_MISMATCH' })
  })

  test('fits whatever the order of its properties, which jsonb changes', async () => {
    const source = rows('select * from orders', { key: ['shop', 'id'] })
    const rest = await itemsOf(source, { after: { id: '4', shop: 'shop 1' } }, context())
    expect(rest.map(({ id }) => id)).toEqual(['7', '10', '2', '5', '8'])
  })
})

test('a query that hangs is left behind when the signal aborts', async () => {
  const hanging = testContext({ query: () => new Promise(() => {}) })
  setImmediate(() => hanging.abort('deploy'))
  await expect(collect(rows('select * from orders', { key: 'id' }), undefined, hanging)).rejects.toBe('deploy')
})

test('the name of the source shows the query on one short line', () => {
  expect(rows('select id\n  from orders;', { key: 'id' }).name).toBe('rows select id from orders')
  expect(rows(`select ${'x, '.repeat(50)} id from t`, { key: 'id' }).name.length).toBeLessThan(70)
})
