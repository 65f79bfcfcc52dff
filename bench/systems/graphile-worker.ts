import { installedVersion } from './installed.ts'
import { inCalls, type System } from './system.ts'

/** Its logger writes two lines a job; nobody reads them here. */
async function load() {
  const graphile = await import('graphile-worker')
  return { ...graphile, logger: new graphile.Logger(() => () => {}) }
}

export const graphileWorker: System = {
  name: 'graphile-worker',
  get version() {
    return installedVersion('graphile-worker') ?? 'not installed'
  },
  defaults: 'concurrentJobs 1, no local queue, poll 2 s and LISTEN',

  async prepare(url) {
    const { makeWorkerUtils, logger } = await load()
    const utils = await makeWorkerUtils({ connectionString: url, logger })
    await utils.migrate()
    await utils.release()
  },

  async produce(url) {
    const { makeWorkerUtils, logger } = await load()
    const utils = await makeWorkerUtils({ connectionString: url, logger, maxPoolSize: 10 })
    return {
      one: async (payload) => void (await utils.addJob('noop', payload)),
      many: (payloads) =>
        inCalls(payloads, (batch) => utils.addJobs(batch.map((payload) => ({ identifier: 'noop', payload })))),
      close: () => utils.release(),
    }
  },

  /** Its guide's advice for throughput is the local queue and batched completions; for latency, its defaults. */
  async work(url, { inFlight, idle = false, more = {} }, onJob) {
    const { run, logger } = await load()
    const quick =
      inFlight === undefined || idle
        ? {}
        : { concurrentJobs: inFlight, localQueue: { size: inFlight }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
    const slots = idle && inFlight !== undefined ? { concurrentJobs: inFlight } : {}
    const { localQueue, ...rest } = more
    const runner = await run({
      preset: {
        worker: {
          connectionString: url,
          logger,
          maxPoolSize: 10,
          ...quick,
          ...slots,
          ...rest,
          ...(localQueue !== undefined && { localQueue: { size: localQueue } }),
        },
      },
      taskList: { noop: onJob },
      noHandleSignals: true,
    })
    return { stop: () => runner.stop() }
  },

  unfinished: 'select count(*) from graphile_worker._private_jobs',
}
