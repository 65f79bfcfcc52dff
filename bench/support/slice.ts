import { setTimeout as sleep } from 'node:timers/promises'
import { systemOf } from '../systems/all.ts'
import { payloads, type WorkSettings } from '../systems/system.ts'
import { type Child, type Message, startChild } from './child.ts'
import { now } from './clock.ts'
import { serverCpu } from './processor.ts'
import { number, type Server, settle, withClient } from './server.ts'

export interface SliceOptions {
  readonly system: string
  readonly url: string
  readonly settings: WorkSettings
  /** Jobs that wait when the worker starts. */
  readonly waiting: number
  /** Jobs that are run before the clock starts: code warm, connections open. */
  readonly warmUp: number
  /** The clock stops after this many ms… */
  readonly ms: number
  /** …or this many jobs. */
  readonly jobs: number
}

export interface Slice {
  /** Jobs a second. */
  readonly rate: number
  readonly ms: number
  readonly jobs: number
  /** Processor time of the worker process and of the server, µs a job. */
  readonly nodeMicros: number
  readonly serverMicros: number | undefined
  /** Jobs that the worker says it ran, in all, and jobs that the database says are done: they must agree. */
  readonly handled: number
  readonly finished: number
}

interface Sample extends Message {
  readonly jobs: number
  readonly at: number
  readonly cpu: number
}

/** One worker process against a heap of waiting jobs, for some seconds. */
export async function runSlice(server: Server, options: SliceOptions): Promise<Slice> {
  const { system, url, settings, waiting } = options
  await fill(system, url, waiting)
  await settle(server, url)
  await using worker = startChild('worker', { system, url, settings })
  await worker.heard('ready')
  const measured = await withClient(url, async (client) => {
    await untilJobs(worker, options.warmUp)
    const cpuBefore = await serverCpu(client)
    const before = await worker.ask<Sample>({ said: 'sample' })
    const after = await untilJobs(worker, before.jobs + options.jobs, before.at + options.ms)
    const cpuAfter = await serverCpu(client)
    const jobs = after.jobs - before.jobs
    const ms = after.at - before.at
    return {
      rate: (jobs / ms) * 1_000,
      ms,
      jobs,
      nodeMicros: ((after.cpu - before.cpu) / jobs) * 1_000,
      serverMicros:
        cpuBefore === undefined || cpuAfter === undefined ? undefined : ((cpuAfter - cpuBefore) / jobs) * 1_000,
    }
  })
  const { jobs: handled } = await worker.ask<Message & { jobs: number }>({ said: 'stop' })
  await worker.exited
  return { ...measured, handled, finished: waiting - (await unfinished(system, url)) }
}

/** Brings the number of waiting jobs up to `waiting`, through the system's own bulk call. */
export async function fill(system: string, url: string, waiting: number): Promise<void> {
  const missing = waiting - (await unfinished(system, url))
  if (missing < 0) throw new Error(`${system} has ${-missing} jobs too many waiting`)
  const producer = await systemOf(system).produce(url)
  await producer.many(payloads(missing))
  await producer.close()
}

export function unfinished(system: string, url: string): Promise<number> {
  return withClient(url, (client) => number(client, systemOf(system).unfinished))
}

async function untilJobs(worker: Child, jobs: number, deadline = now() + 60_000): Promise<Sample> {
  for (;;) {
    const sample = await worker.ask<Sample>({ said: 'sample' })
    if (sample.jobs >= jobs || sample.at >= deadline) return sample
    await sleep(Math.min(20, Math.max(1, deadline - sample.at)))
  }
}
