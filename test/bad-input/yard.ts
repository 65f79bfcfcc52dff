import { z } from 'zod'
import type { Stage, StagedWorker } from '../support/stage.ts'

/** An app that takes anything, and a worker for it. */
export async function openYard(stage: Stage) {
  const jobs = stage.holdfast({ queues: { bulk: {}, null: {}, ['q'.repeat(128)]: {} } })
  const received = new Map<string, unknown>()
  const throwing = new Map<string, () => unknown>()
  let relayed: unknown

  const anything = jobs.task({
    name: 'anything',
    input: z.unknown(),
    run(input, { job }) {
      received.set(job.id, input)
    },
  })
  const typed = jobs.task({ name: 'typed', retry: false, input: z.object({ n: z.number() }), run: ({ n }) => n })
  const relayTask = jobs.task({
    name: 'relay',
    retry: false,
    run(_, ctx) {
      ctx.enqueue(anything, relayed)
    },
  })
  /** Runs whatever the test put there under a key: what it returns is the result, what it throws the failure. */
  const wild = jobs.task({
    name: 'wild',
    retry: false,
    input: z.object({ key: z.string() }),
    run: ({ key }) => throwing.get(key)?.(),
  })
  const builder = jobs.task({ name: 'constructor', run: () => 'a name like any other' })
  const app = jobs.app({
    tasks: [anything, typed, relayTask, wild, builder],
    defaults: { retry: false },
    pollInterval: '200ms',
  })
  const worker: StagedWorker = await stage.start(app)
  return {
    stage,
    worker,
    jobs,
    app,
    anything,
    typed,
    builder,
    received,
    /** Enqueues `input` from inside a job. */
    async relay(input: unknown) {
      relayed = input
      return jobs.enqueue(relayTask)
    },
    /** Runs code in a job, and resolves with the ended job. */
    async run(code: () => unknown) {
      const key = crypto.randomUUID()
      throwing.set(key, code)
      return stage.ended((await jobs.enqueue(wild, { key })).id)
    },
  }
}

export type Yard = Awaited<ReturnType<typeof openYard>>
