import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { BullFleet } from '../../../src/deploy/fleets/bullmq.ts'

// A BullMQ of a few lines. The real one: `npm run test:fleets`.

/** Notes how many jobs each question may have brought. */
const MODULE = `
  exports.asked = []
  exports.Queue = class {
    constructor(name) { this.name = name }
    on() {}
    async close() {}
    async getActiveCount() { return exports.jobs.length }
    async getActive(start = 0, end = -1) {
      exports.asked.push(end)
      return exports.jobs.slice(start, end === -1 ? undefined : end + 1)
    }
  }
`

async function fleetOf(jobs: readonly string[]) {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-bull-'))
  const own = path.join(folder, 'node_modules/bullmq')
  await mkdir(own, { recursive: true })
  await writeFile(path.join(folder, 'package.json'), '{}')
  await writeFile(
    path.join(own, 'index.js'),
    `${MODULE}\nexports.jobs = ${JSON.stringify(jobs.map((name) => ({ name })))}`,
  )
  const fleet = new BullFleet({ redis: 'redis://h', queues: ['a'], folder, interruptible: ['sync'] })
  return Object.assign(fleet, {
    asked: async () => ((await import(path.join(own, 'index.js'))).default as { asked: number[] }).asked,
    remove: () => rm(folder, { recursive: true }),
  })
}

test('of many active jobs the first are read, if one of them is in the way', async () => {
  await using fleet = await fleetOf(Array.from({ length: 2_500 }, (_, n) => (n === 7 ? 'report' : 'sync')))
  const { jobs, more } = await fleet.active()
  expect([jobs.length, more, await fleet.asked()]).toEqual([1_000, 1_500, [999]])
  await fleet.remove()
})

test('one that is in the way behind many that are not is found', async () => {
  await using fleet = await fleetOf(Array.from({ length: 2_500 }, (_, n) => (n === 2_400 ? 'report' : 'sync')))
  const { jobs, more } = await fleet.active()
  expect([jobs.length, more, jobs.some(({ task }) => task === 'report')]).toEqual([2_500, 0, true])
  await fleet.remove()
})
