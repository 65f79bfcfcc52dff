/** The app of the `deploy` case, as its config file: a job of 200 items, with a checkpoint by time, for its effect is outside the database. */
import { setTimeout as sleep } from 'node:timers/promises'
import { holdfast } from '../../dist/index.js'
import { range } from '../../dist/sources.js'
import { ITEM_MS, ITEMS, itemDone } from '../support/work-file.ts'

const { BENCH_DATABASE: database = '' } = process.env

export const jobs = holdfast({ database, queues: { deploys: {} } })

export const walk = jobs.iteration({
  name: 'walk',
  queue: 'deploys',
  checkpoint: 'periodic',
  items: () => range(0, ITEMS),
  each: async (item, { job }) => {
    await sleep(ITEM_MS)
    itemDone(job.id, item)
  },
})

export default jobs.app({ tasks: [walk], concurrency: 4 })
