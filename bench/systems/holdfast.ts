import { holdfast as client, type Schema } from '../../src/index.ts'
import { RELEASE } from '../../src/release.ts'
import { startWork } from '../../src/worker.ts'
import type { Payload, System } from './system.ts'

const open = (url: string) => client({ database: url, queues: { bench: {} } })

export const holdfast: System = {
  name: 'holdfast',
  version: RELEASE,
  defaults: 'concurrency 100, history kept',

  async prepare(url) {
    // A worker's start makes the schema.
    const jobs = open(url)
    const worker = await startWork(jobs.app({ tasks: [] }), { log: quiet })
    await worker.shutdown()
    await jobs.close()
  },

  async produce(url) {
    const jobs = open(url)
    const contract = jobs.contract({ name: 'noop', queue: 'bench', input: anything })
    return {
      one: async (payload) => void (await jobs.enqueue(contract, payload)),
      many: async (payloads) => void (await jobs.enqueueMany(contract, payloads)),
      close: () => jobs.close(),
    }
  },

  async work(url, { inFlight, history = true }, onJob) {
    const jobs = open(url)
    const noop = jobs.task({ name: 'noop', queue: 'bench', input: anything, run: onJob })
    const app = jobs.app({ tasks: [noop], ...(inFlight && { concurrency: inFlight }), history: { completed: history } })
    const worker = await startWork(app, { log: quiet })
    return {
      stop: async () => {
        const { left } = await worker.shutdown()
        if (left > 0) throw new Error(`${left} jobs did not end`)
        await jobs.close()
      },
    }
  },

  unfinished: 'select (select count(*) from holdfast.job) + (select count(*) from holdfast.waiting)',
}

/** Trouble is worth a line; nothing else is while it is measured. */
export function quiet(line: { readonly level: string; readonly message: string }): void {
  if (line.level !== 'info') console.error(`holdfast: ${line.message}`)
}

/** Takes every payload as it is: no system here validates. */
export const anything: Schema<Payload, Payload> = {
  '~standard': { version: 1, vendor: 'bench', validate: (value) => ({ value: value as Payload }) },
}
