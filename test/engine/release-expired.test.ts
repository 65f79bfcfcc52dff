import { expect, test } from 'vitest'
import { tryRelease } from '../../src/engine/release-expired.ts'
import { Database } from '../../src/store/db.ts'
import { Listener } from '../../src/store/listen.ts'
import { addJob, addWorker, claimUpTo } from '../store/races/support.ts'
import { useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'

const stages = useStages()

test('a command that looks gives the jobs of a vanished worker back, and wakes their queue', async () => {
  await using stage = await stages()
  const heard: string[] = []
  const listener = new Listener({ db: stage.db, url: stage.database, onNotify: (payload) => heard.push(payload) })
  await listener.open()
  const id = await addJob(stage.db)
  await claimUpTo(stage.db, await addWorker(stage.db, -1), 1, 1)
  expect(await tryRelease(stage.db)).toBe(true)
  expect(await stage.find(id)).toMatchObject({ state: 'ready', losses: 1 })
  await until(() => heard.includes('q'), { what: 'its queue is woken' })
  await listener.close()
})

test('where it fails, for a role may have a limit of its own, the command goes on', async () => {
  await using stage = await stages()
  await claimUpTo(stage.db, await addWorker(stage.db, -1), 1, 1)
  // What holds the worker's row makes the revocation wait for longer than the role may.
  const limited = new URL(stage.database)
  limited.searchParams.set('options', '-c statement_timeout=300')
  const db = new Database({ url: limited.href, schema: stage.schema, connections: 1 })
  await stage.db.transaction(async (client) => {
    await client.query(`select from ${stage.schema}.worker for share`)
    expect(await tryRelease(db)).toBe(false)
  })
  expect(await tryRelease(db)).toBe(true)
  await db.close()
})
