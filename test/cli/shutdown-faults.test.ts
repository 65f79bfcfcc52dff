import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { test } from '../engine/support.ts'
import { cut, deaf, once, short, walk } from '../fixtures/apps/drain.ts'
import { spawns, WAYS } from '../fixtures/apps/spawns.ts'
import { holdLock, untilBlocked } from '../support/lock.ts'
import { isRunning } from '../support/processes.ts'
import { openProxy, type TestProxy } from '../support/proxy.ts'
import { useStages } from '../support/stage.ts'
import { SLOW_MACHINE, until } from '../support/until.ts'
import { createWitness } from '../support/witness.ts'
import { startWorkerProcess, type WorkerSettings } from '../support/worker-process.ts'

const stages = useStages('create table walked (job uuid, n int)')

async function openYard(app: string) {
  const stage = await stages()
  const witness = createWitness()
  const place = { entry: 'cli' as const, app, database: stage.database, schema: stage.schema, witness: witness.path }
  return {
    stage,
    witness,
    jobs: stage.holdfast({ queues: { elsewhere: {} } }),
    worker: (settings: Partial<WorkerSettings> = {}) => startWorkerProcess({ ...place, ...settings }),
    begun: (task: string) =>
      until(() => witness.saw('begin').some((sighting) => sighting['task'] === task), { what: `${task} has begun` }),
    walked: async (id: string) =>
      (await stage.sql<{ n: number }>('select n from walked where job = $1 order by n', [id])).map(({ n }) => n),
    async [Symbol.asyncDispose]() {
      await stage[Symbol.asyncDispose]()
      witness[Symbol.dispose]()
    },
  }
}

const OUTAGES = [
  {
    how: 'answers nothing',
    graces: ['0s', '1s', '5s'],
    strike(proxy: TestProxy) {
      proxy.blackhole = true
    },
  },
  {
    how: 'is down',
    graces: ['1s', '7s'],
    strike(proxy: TestProxy) {
      proxy.refusing = true
      proxy.reset()
    },
  },
]

for (const { how, graces, strike } of OUTAGES) {
  for (const grace of graces) {
    test(`the database ${how} during the shutdown, with a grace of ${grace}: it leaves in time with 0 and says what is left, and nothing is lost`, async () => {
      await using yard = await openYard('drain')
      const { stage, jobs } = yard
      await using proxy = await openProxy(stage.database)
      await using worker = await yard.worker({ database: proxy.url, env: { GRACE: grace, LEASE: '2s' } })
      const walked = await jobs.enqueue(walk, { items: 5, ms: 200 })
      const ids = [
        walked,
        await jobs.enqueue(cut, { ms: 60_000 }),
        await jobs.enqueue(short, { ms: 700 }),
        await jobs.enqueue(deaf),
      ]
      const single = await jobs.enqueue(once, { ms: 60_000 })
      for (const task of ['walk', 'cut', 'short', 'deaf', 'once']) await yard.begun(task)
      strike(proxy)
      worker.signal('SIGTERM')
      const exit = await worker.exit()
      expect(exit).toMatchObject({ code: 0, signal: null })
      expect(exit.ms).toBeLessThan(Number.parseInt(grace, 10) * 1_000 + SLOW_MACHINE)
      const last = worker.log.at(-1)
      expect(last).toMatchObject({
        event: 'stopped',
        level: 'warn',
        msg: expect.stringMatching(/\d could not be given back: their jobs are free when the lease has run out$/),
      })
      expect(last?.['left'], 'none of them could be given back').toBeGreaterThanOrEqual(1)
      expect(worker.noise).toEqual([])

      await using _heir = await yard.worker({ env: { ITEM_MS: '1', LEASE: '2s' } })
      // `cut` and `short` take their time again.
      await stage.sql(`update :schema.job set input = '{"ms": 1}' where id = $1`, [ids[1]?.id])
      for (const { id } of ids)
        expect(await stage.ended(id)).toMatchObject({ state: 'completed', failures: 0, crashes: 0 })
      expect(await yard.walked(walked.id)).toEqual([0, 1, 2, 3, 4])
      expect((await stage.ended(single.id)).state).toMatch(/^(interrupted|lost)$/)
      expect(yard.witness.saw('begin').filter((sighting) => sighting['task'] === 'once')).toHaveLength(1)
    })
  }
}

for (const patience of ['in time', 'never'] as const) {
  test(`a stop signal while a commit is in flight, which the database answers ${patience}`, async () => {
    await using yard = await openYard('drain')
    const { stage, jobs } = yard
    await using worker = await yard.worker({ env: { GRACE: '6s', LEASE: '2s', ITEM_MS: '50' } })
    const { id } = await jobs.enqueue(walk, { items: 6, ms: 50 })
    await yard.begun('walk')
    await using lock = await holdLock(stage, 'select from :schema.job where id = $1 for update', [id])
    await untilBlocked(stage)
    worker.signal('SIGTERM')
    await worker.logged('Stopping by SIGTERM')
    if (patience === 'in time') await lock.release()
    const exit = await worker.exit()
    expect(exit).toMatchObject({ code: 0, signal: null })
    expect(exit.ms).toBeLessThan(6_000 + SLOW_MACHINE)
    await lock.release()
    await using _heir = await yard.worker({ env: { LEASE: '2s', ITEM_MS: '1' } })
    const ended = await stage.ended(id)
    expect(ended).toMatchObject({ state: 'completed', run: 2, failures: 0, crashes: 0 })
    expect(await yard.walked(id)).toEqual([0, 1, 2, 3, 4, 5])
  })
}

test('programs that jobs have started keep no worker process: neither its supervisor nor its jobs wait for them', async () => {
  await using yard = await openYard('spawns')
  const { stage, jobs, witness } = yard
  const children = () => witness.saw('spawned').map(({ child }) => Number(child))
  try {
    await using worker = await yard.worker()
    const ways = Object.keys(WAYS) as (keyof typeof WAYS)[]
    const start = async () => {
      const before = children().length
      const ids = await Promise.all(ways.map((way) => jobs.enqueue(spawns, { way })))
      await until(() => children().length === before + ways.length, { what: 'all have started their programs' })
      return ids
    }
    const killed = await start()
    process.kill(worker.pid, 'SIGKILL')
    for (const { id } of killed)
      expect(await stage.ended(id, 30_000)).toMatchObject({ state: 'completed', run: 2, interruptions: 1, losses: 0 })
    const stopped = await start()
    worker.signal('SIGTERM')
    await until(() => !isRunning(worker.root), { deadline: 6_000 + SLOW_MACHINE, what: 'the supervisor has left' })
    for (const { id } of stopped) expect(await stage.find(id)).toMatchObject({ state: 'ready', interruptions: 1 })
    expect(children().filter(isRunning), 'what lives on is theirs').toHaveLength(2 * ways.length)
    for (const child of children()) process.kill(child, 'SIGKILL')
    expect(await worker.exit()).toMatchObject({ code: 0 })
    expect(worker.log.at(-1)).toMatchObject({ event: 'stopped', handedOff: ways.length, left: 0 })
  } finally {
    for (const child of children().filter(isRunning)) process.kill(child, 'SIGKILL')
  }
})

test('a storm of signals to the whole group, and a freeze in the middle of it: one stop, and all is handed off', async () => {
  await using yard = await openYard('drain')
  const { stage, jobs } = yard
  await using worker = await yard.worker({ group: true, env: { GRACE: '10s', LEASE: '30s' } })
  const must = await jobs.enqueue(short, { ms: 2_500 })
  const ids = [await jobs.enqueue(cut, { ms: 60_000 }), await jobs.enqueue(walk, { items: 200, ms: 100 })]
  for (const task of ['short', 'cut', 'walk']) await yard.begun(task)
  const storm = [
    'SIGUSR1',
    'SIGINT',
    'SIGCONT',
    'SIGTERM',
    'SIGTSTP',
    'SIGTERM',
    'SIGINT',
    'SIGCONT',
    'SIGTERM',
  ] as const
  for (const signal of storm) {
    worker.signalGroup(signal)
    await sleep(60)
  }
  worker.signalGroup('SIGSTOP')
  await sleep(700)
  worker.signalGroup('SIGCONT')
  worker.signalGroup('SIGTERM')
  expect(await worker.exit()).toMatchObject({ code: 0, signal: null })
  expect(worker.log.filter(({ event }) => event === 'stopping')).toHaveLength(1)
  expect(worker.log.filter(({ event }) => event === 'stopped')).toMatchObject([{ handedOff: 2, finished: 1, left: 0 }])
  expect(await stage.find(must.id)).toMatchObject({ state: 'completed', run: 1, interruptions: 0 })
  for (const { id } of ids)
    expect(await stage.find(id)).toMatchObject({ state: 'ready', run: 1, interruptions: 1, losses: 0, crashes: 0 })
})

test('a drain that takes long says every half minute what it waits for', async () => {
  await using yard = await openYard('drain')
  await using worker = await yard.worker({ env: { GRACE: '90s' } })
  const { id } = await yard.jobs.enqueue(short, { ms: 33_000 })
  await yard.begun('short')
  worker.signal('SIGTERM')
  const line = await worker.logged('Still draining: 1 run to end')
  expect(line).toMatchObject({ event: 'draining', level: 'info', runs: 1 })
  expect(line['leftMs']).toBeLessThanOrEqual(60_000)
  expect(line['leftMs']).toBeGreaterThan(30_000)
  expect(await worker.exit()).toMatchObject({ code: 0 })
  expect(await yard.stage.find(id)).toMatchObject({ state: 'completed', run: 1 })
})
