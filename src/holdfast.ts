import { Connection } from './connection.ts'
import { cancelJob } from './engine/cancel.ts'
import { enqueueMany } from './engine/enqueue-many.ts'
import { insideOf } from './engine/inside.ts'
import { jobTemplate, newJob } from './engine/new-job.ts'
import { clientOf, withApp, withClient } from './internals.ts'
import { checkGrace, resolveConfig } from './model/config.ts'
import type { Duration } from './model/duration.ts'
import { HoldfastError } from './model/errors.ts'
import { MAX_INPUT_BYTES } from './model/json.ts'
import { checkName } from './model/name.ts'
import { checkInteger, checkKeys } from './model/options.ts'
import { resolveTimeLimit } from './model/time-limit.ts'
import type { AppOptions } from './tasks/app.ts'
import type { App, Holdfast, HoldfastOptions, QueueOptions } from './tasks/client.ts'
import type { EnqueueOptions } from './tasks/enqueue-options.ts'
import { makerFor } from './tasks/make.ts'
import { DEFAULT_QUEUE } from './tasks/queues.ts'
import { createRegistry } from './tasks/registry.ts'
import type { PgClient, Transactions } from './tasks/transactions.ts'

const OPTION_KEYS = ['queues', 'database', 'tx', 'schema', 'maxInputBytes'] as const
const APP_KEYS = ['tasks', 'shutdown', 'defaults', 'lease', 'concurrency', 'pollInterval', 'policy', 'history'] as const

/**
 * The client, and the factory of everything that knows its queues and its transactions. It comes first and knows no task, so anything
 * may import it; it opens no connection until it is used.
 */
export function holdfast<const Queues extends Record<string, QueueOptions> = Record<never, never>, Tx = PgClient>(
  options: HoldfastOptions<Queues, Tx> = {},
): Holdfast<(keyof Queues & string) | 'default', Tx> {
  checkKeys(options, OPTION_KEYS as never, 'holdfast()')
  const { database, schema = 'holdfast', maxInputBytes = MAX_INPUT_BYTES } = options
  checkName('schema', schema)
  checkInteger(maxInputBytes, 1_024, 64 * 1024 * 1024, 'maxInputBytes')
  const queues = resolveQueues(options.queues ?? {})
  const transactions = options.tx as Transactions<unknown> | undefined
  return client({ queues, database: text(database), schema, transactions, maxInputBytes }) as never
}

interface ClientSettings {
  readonly queues: ReadonlyMap<string, QueueOptions>
  readonly database: string | undefined
  readonly schema: string
  readonly transactions: Transactions<unknown> | undefined
  readonly maxInputBytes: number
}

function client(settings: ClientSettings): Holdfast<string, unknown> {
  const { queues, transactions, maxInputBytes } = settings
  const names = new Set(queues.keys())
  const connection = new Connection(settings)
  const inside = insideOf(transactions)

  const jobs: Holdfast<string, unknown> = {
    ...makerFor<string, unknown>(names),
    connect: (where) =>
      client({
        ...settings,
        database: text(where.database),
        transactions: where.tx as Transactions<unknown> | undefined,
      }) as never,
    app: (options) => app(jobs, options),
    async enqueue(task: unknown, ...[input, options]: [unknown?, EnqueueOptions<string, unknown>?]) {
      const template = jobTemplate(task, options, names, maxInputBytes, 'enqueue')
      const job = await newJob(template, input)
      const { enqueuer, db } = await connection.open()
      if (options?.tx === undefined) await enqueuer.one(job)
      else await inside.enqueue(db, options.tx, (on) => enqueuer.inside(on, [job]))
      return { id: job.id }
    },
    async enqueueMany(
      task: unknown,
      inputs: Iterable<unknown> | AsyncIterable<unknown>,
      options?: EnqueueOptions<string, unknown>,
    ) {
      const template = jobTemplate(task, options, names, maxInputBytes, 'enqueueMany')
      const { enqueuer, db } = await connection.open()
      const { tx } = options ?? {}
      const send = tx === undefined ? enqueuer.batch.bind(enqueuer) : undefined
      return enqueueMany(
        template,
        inputs,
        send ?? ((rows) => inside.enqueue(db, tx, (on) => enqueuer.inside(on, rows))),
        send ? 2 : 1,
      )
    },
    async cancel(id, options) {
      const { db } = await connection.open()
      const tx = options?.tx
      if (tx === undefined) return { cancelled: await cancelJob(db, id) }
      let cancelled = 0
      await inside.enqueue(db, tx, async (on) => {
        cancelled = await cancelJob(db, id, on)
      })
      return { cancelled }
    },
    close: () => connection.close(),
  } as Holdfast<string, unknown>
  return Object.freeze(withClient(jobs, { queues, connection, transactions, maxInputBytes }))
}

function app(jobs: Holdfast<string, unknown>, options: AppOptions): App<string, unknown> {
  checkKeys(options, APP_KEYS as never, 'app()')
  const internals = clientOf(jobs)
  if (internals === undefined)
    throw new HoldfastError('HF_CONFIG', 'app() must be called on the client that holdfast() gave')
  const { tasks, defaults, shutdown, lease, concurrency, pollInterval, policy, history } = options
  const registry = createRegistry(tasks, defaults)
  const configure = (set: string | undefined) => {
    const grace = shutdown?.grace === undefined ? set : undefined
    if (grace !== undefined) checkGrace(grace as Duration, 'HOLDFAST_GRACE')
    const asked = { ...shutdown, ...(grace !== undefined && { grace: grace as Duration }) }
    return resolveConfig({ lease, concurrency, pollInterval, policy, history, shutdown: asked })
  }
  configure(undefined)
  const made: App<string, unknown> = {
    jobs,
    // Loaded late: a web server that imports the config file must not load the worker.
    work: async (how) => (await import('./worker.ts')).startWork(made, how),
  }
  return Object.freeze(withApp(made, { client: internals, registry, grace: shutdown?.grace, configure }))
}

function resolveQueues(given: Readonly<Record<string, QueueOptions>>): ReadonlyMap<string, QueueOptions> {
  const queues = new Map<string, QueueOptions>([[DEFAULT_QUEUE, {}]])
  for (const [name, options] of Object.entries(given)) {
    checkName('queue', name)
    const keys = ['concurrency', 'timeLimit'] as never
    const { concurrency, timeLimit } = checkKeys(options, keys, `queue ${name}`) as QueueOptions
    resolveTimeLimit(timeLimit, `timeLimit of queue ${name}`)
    if (concurrency !== undefined) checkInteger(concurrency, 1, 10_000, `concurrency of queue ${name}`)
    queues.set(name, options)
  }
  return queues
}

/** An empty DATABASE_URL is a missing one: nobody means to connect to nothing. */
function text(database: string | undefined): string | undefined {
  return database === undefined || database.trim() === '' ? undefined : database
}
