import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { LeaseKeeper } from '../../src/engine/lease.ts'
import { monotonic } from '../../src/engine/monotonic.ts'
import { decodeVerdict } from '../../src/model/verdict.ts'
import { expiredWorkers, registerWorker, revokeWorker } from '../../src/store/workers.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'

const stages = useStages()
const LEASE = 1_500

async function leaseOn(stage: Stage, maxBlock = 60_000) {
  const keeper = new LeaseKeeper(maxBlock)
  await keeper.ready()
  const sent = monotonic()
  const worker = await registerWorker(stage.db, {
    name: 'w',
    build: 'b',
    release: 'r',
    tasks: [],
    queues: [],
    manifest: {},
    lease: LEASE,
  })
  const seen = { renewals: 0, lost: [] as string[] }
  const lease = keeper.hold({ url: stage.database, schema: stage.schema, worker, lease: LEASE }, sent, {
    onRenewed: () => void seen.renewals++,
    onLost: (why) => seen.lost.push(why),
  })
  return { keeper, lease, worker, seen }
}

/** Nothing else runs meanwhile: no timer, no message. */
function block(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

test('a blocked event loop keeps the lease: a thread of its own renews it', async () => {
  await using stage = await stages()
  const { keeper, lease, seen } = await leaseOn(stage)
  await until(() => seen.renewals > 0, { what: 'it is renewed' })
  block(3 * LEASE)
  // At once, before anything else may run: a job that ends now may settle.
  expect(lease.held).toBe(true)
  expect(await expiredWorkers(stage.db)).toEqual([])
  await sleep(50)
  expect(seen.lost).toEqual([])
  await keeper.close()
})

test('a loop that is blocked for longer than `maxBlock` gives the lease up: a wedged worker must not hold its jobs for ever', async () => {
  await using stage = await stages()
  const { keeper, lease, seen, worker } = await leaseOn(stage, 500)
  await until(() => seen.renewals > 0, { what: 'it is renewed' })
  block(500 + 2 * LEASE)
  expect(lease.held).toBe(false)
  expect(await expiredWorkers(stage.db)).toMatchObject([{ worker }])
  await until(() => seen.lost.length === 1, { what: 'it is told' })
  await keeper.close()
})

for (const blackbox of ['3', ''] as const) {
  const end = blackbox === '' ? 'gives the lease up, and is left to itself' : 'is ended, for somebody watches it'
  test(`code of no run that blocks a whole process for longer than \`maxBlock\` ${end}`, async () => {
    await using stage = await stages()
    const names = { name: 'w', build: 'b', release: 'r', tasks: [], queues: [], manifest: {} }
    const worker = await registerWorker(stage.db, { ...names, lease: 2_000 })
    const program = fileURLToPath(new URL('../fixtures/wedged.ts', import.meta.url))
    const child = spawn(
      process.execPath,
      ['--no-warnings', program, stage.database, stage.schema, String(worker), blackbox],
      { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] },
    )
    const said = text(child.stdio[3] as Readable)
    const [code, signal] = await once(child, 'exit')
    if (blackbox === '') {
      expect([code, signal, await said]).toEqual([0, null, ''])
      expect(await expiredWorkers(stage.db)).toMatchObject([{ worker }])
    } else {
      expect(signal).toBe('SIGKILL')
      const verdict = decodeVerdict(await said)
      expect(verdict).toMatchObject({ kind: 'blocked', stack: expect.stringContaining('at wedge') })
      expect(verdict?.job).toBeUndefined()
      expect(verdict?.blockedMs).toBeLessThan(4_000)
    }
  })
}

test('a revoked worker is told at its next renewal, and the thread keeps the next lease', async () => {
  await using stage = await stages()
  const { keeper, lease, worker, seen } = await leaseOn(stage)
  await revokeWorker(stage.db, worker, true)
  await until(() => seen.lost.length === 1, { what: 'it is told' })
  expect(seen.lost).toEqual(['it was revoked'])
  expect(lease.held).toBe(false)

  const sent = monotonic()
  const next = await registerWorker(stage.db, {
    name: 'w',
    build: 'b',
    release: 'r',
    tasks: [],
    queues: [],
    manifest: {},
    lease: LEASE,
  })
  let renewals = 0
  const second = keeper.hold({ url: stage.database, schema: stage.schema, worker: next, lease: LEASE }, sent, {
    onRenewed: () => void renewals++,
    onLost: () => {},
  })
  await sleep(LEASE)
  expect(second.held).toBe(true)
  expect(renewals).toBeGreaterThan(0)
  await keeper.close()
  expect(second.held).toBe(false)
})

test('a worker that is told to wait hears of it', async () => {
  await using stage = await stages()
  const keeper = new LeaseKeeper(60_000)
  await keeper.ready()
  const worker = await registerWorker(stage.db, {
    name: 'w',
    build: 'b',
    release: 'r',
    tasks: [],
    queues: [],
    manifest: {},
    lease: LEASE,
  })
  const heard: boolean[] = []
  keeper.hold({ url: stage.database, schema: stage.schema, worker, lease: LEASE }, monotonic(), {
    onRenewed: (mayClaim) => heard.push(mayClaim),
    onLost: () => {},
  })
  await until(() => heard.at(-1) === true, { what: 'it may claim' })
  await stage.sql('update :schema.worker set claiming = false where key = $1', [worker])
  await until(() => heard.at(-1) === false, { what: 'it may not claim' })
  await keeper.close()
})
