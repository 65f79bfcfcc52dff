// A worker as BullMQ's docs show it: `bull-worker.mjs queue,queue name`.
import { appendFileSync, existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'

const { Worker } = createRequire(process.env.BULL_FROM)('bullmq')
const [queues, name] = process.argv.slice(2)
const { hostname: host, port } = new URL(process.env.REDIS_URL)
const tell = (what, job) =>
  appendFileSync(process.env.WITNESS, `${JSON.stringify({ what, n: job.data.n, job: job.id, pid: process.pid })}\n`)

const workers = queues.split(',').map(
  (queue) =>
    new Worker(
      queue,
      async (job) => {
        tell('begin', job)
        // Without a time: until the test lets it go.
        if (job.data.ms !== undefined) await sleep(job.data.ms)
        else while (!existsSync(`${process.env.WITNESS}.go${job.data.n}`)) await sleep(20)
        tell('end', job)
      },
      { connection: { host, port: Number(port) }, concurrency: 2, name },
    ),
)
await Promise.all(workers.map((worker) => worker.waitUntilReady()))
console.log('ready')
process.once('SIGTERM', () => {
  void Promise.all(workers.map((worker) => worker.close())).finally(() => process.exit(0))
})
