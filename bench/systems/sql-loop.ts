import { Marks } from '../../src/engine/marks.ts'
import { nameArray } from '../../src/store/arrays.ts'
import { claim } from '../../src/store/claims.ts'
import { Database } from '../../src/store/db.ts'
import { complete } from '../../src/store/settles.ts'
import { registerWorker, retireWorker } from '../../src/store/workers.ts'
import { holdfast } from './holdfast.ts'
import type { Payload, System } from './system.ts'

const HOUR = 3_600_000

/**
 * Holdfast's own claim and complete statements in a loop, without the engine: while one batch is being completed the next one is being
 * claimed. What the engine adds is the distance to this.
 */
export const sqlLoop: System = {
  ...holdfast,
  name: 'bare SQL',
  version: holdfast.version,
  defaults: 'none',

  async work(url, { inFlight = 500, history = true }, onJob) {
    const db = new Database({ url, schema: 'holdfast' })
    const worker = await registerWorker(db, {
      name: 'sql-loop',
      build: 'bench',
      release: holdfast.version,
      tasks: ['noop'],
      queues: ['bench'],
      manifest: {},
      lease: HOUR,
    })
    const marks = new Marks('bench', [])
    const tasks = nameArray(['noop'])
    let stopped = false

    const loop = async () => {
      let completing: Promise<unknown> = Promise.resolve()
      for (let number = 1; !stopped; number++) {
        const request = { worker, claim: number, queue: 'bench', tasks, most: inFlight, bands: marks.bands(inFlight) }
        const jobs = await claim(db, request)
        marks.raise(jobs)
        for (const job of jobs) onJob(JSON.parse(job.input ?? 'null') as Payload)
        await completing
        const ended = jobs.map(({ id, run, tid }) => ({ id, run, tid, result: null }))
        completing = complete(db, ended, history, { worker, claims: [number] })
      }
      await completing
    }
    const looping = loop()
    return {
      stop: async () => {
        stopped = true
        await looping
        await retireWorker(db, worker)
        await db.close()
      },
    }
  },
}
