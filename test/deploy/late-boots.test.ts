import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import { randomFrom } from '../kill/random.ts'
import { useStages } from '../support/stage.ts'
import { end, prepared } from './support.ts'

const stages = useStages()
vi.setConfig({ testTimeout: 180_000 })

const GATES = 5
const BOOTS = 20
const SEED = Number(process.env['HOLDFAST_KILL_SEED'] ?? Math.floor(Math.random() * 1e9))

describe(`HOLDFAST_KILL_SEED=${SEED}`, () => {
  /**
   * An autoscaler, or a supervisor that starts its program again, knows nothing of a deploy: an old worker may boot at any moment of it. Whenever
   * that is, it claims nothing once the last worker has answered.
   */
  test(`${GATES * BOOTS} old workers boot at random moments of ${GATES} gates: none claims after the last answer`, async () => {
    await using stage = await stages()
    const jobs = stage.holdfast({ queues: { fast: {} } })
    const quick = jobs.task({ name: 'quick', queue: 'fast', run() {} })
    const app = jobs.app({ tasks: [quick] })
    const random = randomFrom(SEED)
    let late = 0
    let before = 0
    let bootedAfter = 0
    for (let gate = 0; gate < GATES; gate++) {
      const resident = await stage.start(app, { build: 'old' })
      const feeding = new AbortController()
      const feed = (async () => {
        while (!feeding.signal.aborted) {
          await jobs.enqueueMany(quick, Array.from({ length: 20 }, () => undefined) as never)
          await sleep(20)
        }
      })()
      const moments = Array.from({ length: BOOTS }, () => random.between(0, 500))
      const boots = moments.map(async (moment) => {
        await sleep(moment)
        return stage.start(app, { build: 'old' })
      })
      await sleep(random.between(100, 400))
      // Not of interest here: that this process, in which all of them boot, stands still for longer than a hold lives.
      const deploy = await prepared(stage, { build: 'new', expiry: 60_000 })
      expect(deploy, JSON.stringify(deploy)).toMatchObject({ passed: true, unheard: [] })
      await Promise.all(boots)
      await sleep(300)
      feeding.abort()
      await feed
      const [counts] = await stage.sql<{ before: number; after: number; waiting: number; booted: number }>(
        `with answered as (
         select d.started_at + d.heard_ms * interval '1 ms' as at from :schema.deploy d where d.number = $1
       ), runs as (
         select started_at from :schema.history union all select started_at from :schema.job where run > 0
       )
       select count(*) filter (where started_at <= at)::int as before, count(*) filter (where started_at > at)::int as after,
         (select count(*) from :schema.job where state = 0)::int as waiting,
         (select count(*) from :schema.worker w, answered where w.started_at > at)::int as booted
       from runs, answered`,
        [deploy.number],
      )
      expect(counts?.waiting, 'jobs were there to be claimed').toBeGreaterThan(0)
      late += counts?.after ?? 0
      before += counts?.before ?? 0
      bootedAfter += counts?.booted ?? 0
      const [held] = await stage.sql<{ held: number; claiming: number }>(
        `select count(*) filter (where not claiming)::int as held, count(*) filter (where claiming)::int as claiming
       from :schema.worker where alive`,
      )
      expect(held).toEqual({ held: BOOTS + 1, claiming: 0 })
      const all = await Promise.all(boots)
      await Promise.all([resident, ...all].map((worker) => worker.shutdown({ mode: 'cold' })))
      await end(stage, deploy.number)
      await stage.sql('truncate :schema.history')
      await stage.sql('delete from :schema.job')
    }
    expect(late).toBe(0)
    expect(before, 'workers did claim before').toBeGreaterThan(0)
    expect(bootedAfter, 'INVALID: no worker booted after the last answer').toBeGreaterThan(0)
  })
})
