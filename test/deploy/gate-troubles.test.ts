import { expect, onTestFinished, test, vi } from 'vitest'
import { prepare } from '../../src/deploy/gate/prepare.ts'
import { Database } from '../../src/store/db.ts'
import { listDeploys } from '../../src/store/deploys.ts'
import { openProxy, type TestProxy } from '../support/proxy.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { options } from './support.ts'

const stages = useStages()
vi.setConfig({ testTimeout: 60_000 })

/** A database of the command's own, by way of a network that misbehaves. */
async function away(stage: Stage): Promise<{ proxy: TestProxy; db: Database }> {
  const proxy = await openProxy(stage.database)
  const db = new Database({ url: proxy.url, schema: stage.schema, connections: 3 })
  onTestFinished(async () => {
    await proxy.close()
    await db.close()
  })
  return { proxy, db }
}

async function idleWorker(stage: Stage): Promise<void> {
  const jobs = stage.holdfast()
  await stage.start(jobs.app({ tasks: [jobs.task({ name: 'quick', run() {} })] }))
}

/** Cuts the connection when the commit of what says that the way is free is answered. Resolves when it was. */
async function loseThePass(proxy: TestProxy): Promise<void> {
  const send = await proxy.hold("set state = 'held'", 'message')
  const cut = proxy.cut({ text: 'commit' }, 'answer')
  send()
  await cut
}

const stateOf = async (stage: Stage) => (await listDeploys(stage.db, { most: 1 }))[0]?.state

test('the answer that the way is free is lost: it is asked again, also when a renewal has been refused meanwhile', async () => {
  await using stage = await stages()
  await idleWorker(stage)
  const { proxy, db } = await away(stage)
  const lost = loseThePass(proxy)
  const troubles: string[] = []
  const onTrouble = ({ message }: Error) => troubles.push(message)
  // Renewed each 200 ms, so at least once before the next look.
  const prepared = await prepare(options(stage, { db, expiry: 1_000, hold: 30_000, onTrouble }))
  await lost
  expect(troubles).toHaveLength(1)
  expect(prepared).toMatchObject({ passed: true, workers: 1, why: null, stillHeld: null })
  const [deploy] = await listDeploys(stage.db, { most: 1 })
  expect(deploy).toMatchObject({ state: 'held', expires_at: prepared.holdUntil })
})

test('the answer that the way is free is lost, and the wait is interrupted: what is held is let go', async () => {
  await using stage = await stages()
  await idleWorker(stage)
  const { proxy, db } = await away(stage)
  const lost = loseThePass(proxy)
  const stop = new AbortController()
  const onTrouble = () => stop.abort()
  const prepared = await prepare(options(stage, { db, signal: stop.signal, onTrouble }))
  await lost
  expect(prepared).toMatchObject({ passed: false, why: 'it was interrupted by hand', stillHeld: null })
  expect(await stateOf(stage)).toBe('aborted')
})

test('interrupted while the database is away: it ends soon, with what it knows, and says how long the hold lasts', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const gate = Promise.withResolvers<void>()
  const slow = jobs.task({ name: 'slow', run: () => gate.promise })
  await stage.start(jobs.app({ tasks: [slow] }))
  const { id } = await jobs.enqueue(slow)
  await stage.reached(id, 'running')
  const { proxy, db } = await away(stage)
  const stop = new AbortController()
  const onLook = () => {
    proxy.blackhole = true
    stop.abort()
  }
  const before = performance.now()
  const prepared = await prepare(options(stage, { db, signal: stop.signal, onLook }))
  expect(performance.now() - before).toBeLessThan(15_000)
  expect(prepared).toMatchObject({
    passed: false,
    why: 'it was interrupted by hand',
    stillHeld: expect.stringMatching(/^The hold could not be ended \(.+\): it ends by itself in at most 15s\.$/),
    offenders: [{ job: id, task: 'slow' }],
  })
  gate.resolve()
})

test('the time is over while a statement waits for an answer that does not come', async () => {
  await using stage = await stages()
  await idleWorker(stage)
  const { proxy, db } = await away(stage)
  const onBegun = () => {
    proxy.blackhole = true
  }
  const before = performance.now()
  const prepared = await prepare(options(stage, { db, timeout: 500, onBegun, listenUrl: undefined }))
  expect(performance.now() - before).toBeLessThan(20_000)
  expect(prepared).toMatchObject({ passed: false, why: 'the time was over', stillHeld: expect.any(String) })
})

test('a worker that is written off in the wait is named: its process may run old code all the same', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const gate = Promise.withResolvers<void>()
  const slow = jobs.task({ name: 'slow', run: () => gate.promise })
  const worker = await stage.start(jobs.app({ tasks: [slow] }))
  const { id } = await jobs.enqueue(slow)
  await stage.reached(id, 'running')
  const preparing = prepare(options(stage, { require: 'idle' }))
  await until(() => !worker.claiming, { what: 'it is held' })
  // As if it were frozen: nobody renews its lease.
  await stage.sql(`update :schema.lease set expires_at = clock_timestamp() - interval '1 min' where worker = $1`, [
    worker.key,
  ])
  expect(await preparing).toMatchObject({ passed: true, vanished: [{ name: worker.name, jobs: 1 }] })
  const [deploy] = await listDeploys(stage.db, { most: 1 })
  expect(JSON.parse(deploy?.report ?? '')).toMatchObject({ vanished: [{ name: worker.name, jobs: 1 }] })
  expect(await stage.find(id)).toMatchObject({ state: 'ready', losses: 1 })
  gate.resolve()
})
