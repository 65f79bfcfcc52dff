import pg from 'pg'
import { expect, test } from 'vitest'
import { createDatabase } from './database.ts'
import { openProxy } from './proxy.ts'
import { until } from './until.ts'

async function through(work: (client: pg.Client, proxy: Awaited<ReturnType<typeof openProxy>>) => Promise<void>) {
  await using database = await createDatabase()
  await using proxy = await openProxy(database.url)
  const client = new pg.Client({ connectionString: proxy.url, query_timeout: 1_000 })
  client.on('error', () => {})
  await client.connect()
  await client.query('create table noted (n int)')
  await work(client, proxy)
  await client.end().catch(() => {})
}

const noted = async (url: string) => {
  const other = new pg.Client({ connectionString: url })
  await other.connect()
  const { rows } = await other.query('select n from noted order by n')
  await other.end()
  return rows.map(({ n }) => n)
}

test('passes everything on, and counts its connections', () =>
  through(async (client, proxy) => {
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    expect(proxy.open).toBe(1)
    await client.end()
    await until(() => proxy.open === 0, { what: 'the connection is gone' })
  }))

test('delays', () =>
  through(async (client, proxy) => {
    proxy.latency = 60
    const from = performance.now()
    await client.query('select 1')
    expect(performance.now() - from).toBeGreaterThanOrEqual(119)
  }))

test('swallows', () =>
  through(async (client, proxy) => {
    proxy.blackhole = true
    await expect(client.query('select 1')).rejects.toThrow(/timeout/i)
  }))

test('resets', () =>
  through(async (client, proxy) => {
    const sleeping = client.query('select pg_sleep(5)')
    setTimeout(() => proxy.reset(), 50)
    await expect(sleeping).rejects.toThrow()
  }))

test('loses a message: the server never saw it', () =>
  through(async (client, proxy) => {
    const cut = proxy.cut({ text: 'into noted' }, 'message')
    await client.query('select 1')
    await expect(client.query('insert into noted values (1)')).rejects.toThrow()
    await cut
    expect(await noted(proxy.url)).toEqual([])
  }))

test('loses an answer: the server did as it was told', () =>
  through(async (client, proxy) => {
    const cut = proxy.cut({ text: 'into noted' }, 'answer')
    await expect(client.query('insert into noted values (2)')).rejects.toThrow()
    await cut
    expect(await noted(proxy.url)).toEqual([2])
  }))

test.for([{ messages: 1 }, { bytes: 60 }])('cuts after %o', (at) =>
  through(async (client, proxy) => {
    const cut = proxy.cut(at, 'message')
    await client.query('insert into noted values (3)')
    await expect(client.query('insert into noted values (4)')).rejects.toThrow()
    await cut
    expect(await noted(proxy.url)).toEqual([3])
  }),
)
