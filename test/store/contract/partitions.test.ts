import { expect } from 'vitest'
import { expectPlan, type Store, test } from './support.ts'

interface Row {
  readonly name: string
  readonly from: string
  readonly to: string
  readonly present: boolean
  readonly expired: boolean
}

const DAY = 86_400_000
const look = (store: Store, ahead = 2, keep = 3 * DAY) =>
  store.db.run<Row>('partitions', ['holdfast', 'history', ahead, keep])

async function day(store: Store, offset: number): Promise<string> {
  const text = `select to_char((clock_timestamp() at time zone 'utc')::date + $1::int, 'YYYYMMDD') as day`
  return (await store.rows<{ day: string }>(text, [offset]))[0]?.day ?? ''
}

test('wants today and the days ahead', async ({ store }) => {
  const names = []
  for (const offset of [0, 1, 2]) names.push(`history_${await day(store, offset)}`)
  expect((await look(store)).map(({ name, present, expired }) => ({ name, present, expired }))).toEqual(
    names.map((name) => ({ name, present: false, expired: false })),
  )
})

test('tells what there is, and what is older than is kept', async ({ store }) => {
  for (const offset of [-5, -4, -3, 1]) {
    const name = await day(store, offset)
    const [from, to] = [`now() + '${offset} days'`, `now() + '${offset + 1} days'`]
    await store.rows(
      `do $$ begin execute format('create table holdfast.history_${name} partition of holdfast.history for values from (%L) to (%L)',
        date_trunc('day', ${from}), date_trunc('day', ${to})); end $$`,
    )
  }
  const rows = await look(store)
  expect(rows.map(({ present, expired }) => [present, expired])).toEqual([
    [true, true],
    [true, true],
    [true, false],
    [false, false],
    [true, false],
    [false, false],
  ])
  const [first] = rows
  expect(Date.parse(first?.to ?? '') - Date.parse(first?.from ?? '')).toBe(DAY)
})

test('reads the catalogue only', async ({ store }) => {
  expectPlan(await store.plan('partitions', ['holdfast', 'history', 7, DAY]), { uses: [], pages: 30 })
})
