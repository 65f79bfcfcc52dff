import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { expect, test } from 'vitest'
import { daysAhead, horizonHolders, notificationsArrive, serverHealth, tableHealth } from '../../src/store/health.ts'
import { maintainPartitions } from '../../src/store/partitions.ts'
import { unservedJobs } from '../../src/store/unserved.ts'
import { createDatabase } from '../support/database.ts'
import { useStages } from '../support/stage.ts'

const stage = useStages()

test('the server tells its version, its clock and its room', async () => {
  await using s = await stage()
  const health = await serverHealth(s.db)
  expect(health.version).toBeGreaterThanOrEqual(140_000)
  expect(Math.abs(health.skewMs)).toBeLessThan(1_000)
  expect(health).toMatchObject({ replica: false, autovacuum: true })
  expect(health.maxConnections - health.reserved - health.used).toBeGreaterThan(0)
})

test('a notification arrives on the same server, and not where its session is another one', async () => {
  await using s = await stage()
  await using elsewhere = await createDatabase()
  expect(await notificationsArrive(s.db, s.database, 5_000)).toBe(true)
  expect(await notificationsArrive(s.db, elsewhere.url, 200)).toBe(false)
  await expect(notificationsArrive(s.db, 'postgres://u@127.0.0.1:1/d', 200)).rejects.toThrow('ECONNREFUSED')
})

test('whoever holds a snapshot is named, and nobody else', async () => {
  await using s = await stage()
  const holder = new pg.Client({ connectionString: s.database, application_name: 'long report' })
  await holder.connect()
  await holder.query('begin isolation level repeatable read')
  const { rows } = await holder.query('select pg_backend_pid() as pid')
  const mine = async () => (await horizonHolders(s.db)).find((each) => each.who === String(rows[0].pid))
  expect(await mine()).toMatchObject({
    kind: 'session',
    detail: expect.stringContaining('long report, idle in transaction'),
    ms: expect.any(Number),
  })
  await holder.query('commit')
  expect(await mine()).toBeUndefined()
  await holder.end()
})

test('the days of the history that have a partition, in a row from tomorrow on', async () => {
  await using s = await stage()
  expect(await daysAhead(s.db)).toBe(0)
  await maintainPartitions(s.db, 86_400_000)
  expect(await daysAhead(s.db)).toBe(7)
  const [third] = await s.sql<{ name: string }>(
    `select to_char((now() at time zone 'utc')::date + 3, '"history_"YYYYMMDD') as name`,
  )
  await s.sql(`drop table :schema.${third?.name}`)
  expect(await daysAhead(s.db)).toBe(2)
  expect((await tableHealth(s.db)).map((table) => table.name)).toEqual([
    'checkpoint',
    'history_default',
    'job',
    'lease',
    'waiting',
  ])
})

test('ready jobs are unserved when no live worker has their queue and their task at once', async () => {
  await using s = await stage()
  const worker = async (tasks: string, queues: string, lease: string) => {
    const [row] = await s.sql<{ key: number }>(
      `insert into :schema.worker (name, build, release, tasks, queues, manifest) values ('w', 'b', '0', $1, $2, '{}') returning key`,
      [tasks, queues],
    )
    await s.sql(`insert into :schema.lease (worker, expires_at) values ($1, now() + $2::interval)`, [row?.key, lease])
  }
  await worker('{a,b}', '{one}', '1 min')
  await worker('{c}', '{two}', '1 min')
  await worker('{d}', '{one,two,three}', '-1 s')
  const jobs = [
    ['one', 'a'],
    ['two', 'c'],
    ['one', 'c'],
    ['one', 'c'],
    ['three', 'd'],
    ['two', 'd'],
  ] as const
  for (const [queue, task] of jobs)
    await s.sql(`insert into :schema.job (id, queue, task) values ($1, $2, $3)`, [randomUUID(), queue, task])
  const found = await unservedJobs(s.db)
  expect(found[0]).toEqual({ queue: 'one', task: 'c', version: 1, jobs: 2, lack: 'task' })
  expect(found.slice(1).sort((a, b) => (a.queue < b.queue ? -1 : 1))).toEqual([
    { queue: 'three', task: 'd', version: 1, jobs: 1, lack: 'queue' },
    { queue: 'two', task: 'd', version: 1, jobs: 1, lack: 'task' },
  ])
})
