import { expect, test } from 'vitest'
import { placeOf } from '../../src/store/place.ts'
import { Renewal } from '../../src/store/renewal.ts'
import { registerWorker } from '../../src/store/workers.ts'
import { createDatabase } from '../support/database.ts'
import { openStage } from '../support/stage.ts'

const NOWHERE = 'postgres://postgres@127.0.0.1:1/postgres'

test('renews at the direct address; goes to the other one when that does not answer, or is another database', async () => {
  await using database = await createDatabase()
  await using other = await createDatabase()
  await using stage = await openStage(database.url, 'holdfast')
  await using stranger = await openStage(other.url, 'holdfast')
  const row = { name: 'w', build: 'b', release: '0', tasks: [], queues: [], manifest: {}, lease: 60_000 }
  const worker = await registerWorker(stage.db, row)
  expect(await registerWorker(stranger.db, row)).toBe(worker)
  const place = await placeOf(stage.db)
  const left = async (at: typeof stage) =>
    (
      await at.sql<{ ms: number }>(
        `select extract(epoch from expires_at - clock_timestamp())::float8 * 1000 as ms from :schema.lease`,
      )
    )[0]?.ms

  const renewal = (url: string, direct: string) =>
    new Renewal({ url, direct: { url: direct, place }, schema: 'holdfast', worker, lease: 600_000 })
  const direct = renewal(NOWHERE, database.url)
  expect(await direct.renew()).toBe('renewed')
  await direct.close()
  for (const [address, why] of [
    [NOWHERE, /ECONNREFUSED/],
    [other.url, /another database/],
  ] as const) {
    await stage.sql(`update :schema.lease set expires_at = clock_timestamp()`)
    const falling = renewal(database.url, address)
    await expect(falling.renew()).rejects.toThrow(why)
    expect(await falling.renew()).toBe('renewed')
    expect(await left(stage)).toBeGreaterThan(500_000)
    await falling.close()
  }
  expect(await left(stranger)).toBeLessThan(60_000)
})
