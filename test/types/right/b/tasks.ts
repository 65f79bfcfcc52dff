import { holdfast, type PgClient, type Source } from 'holdfast'
import { batches, csv, nested, pages, range, rows } from 'holdfast/sources'
import { z } from 'zod'
import { same } from '../same.ts'

export const jobs = holdfast({ database: process.env.DATABASE_URL, queues: { bulk: {} } })

const Row = z.object({ id: z.coerce.number(), total: z.string() })

export const importOrders = jobs.iteration({
  name: 'import-orders',
  queue: 'bulk',
  input: z.object({ file: z.string() }),
  start: ({ file }, { log }) => log.info(`importing ${file}`),
  items: ({ file }) => batches(csv(file, { row: Row }), 500), // cursor: a byte offset
  async each(batch, { tx, index }) {
    same<typeof batch, readonly { id: number; total: string }[]>(true)
    same<typeof tx, PgClient>(true)
    same<typeof index, number>(true)
    await tx.query('insert into orders select unnest($1::int[])', [batch.map((row) => row.id)])
  },
  done: (_, { count }) => ({ batches: count, at: new Date() }),
})
same<(typeof importOrders)['~types'], { input: { file: string }; output: { batches: number; at: string } }>(true)

declare function shop(account: string, token?: string): Promise<{ ids: number[]; next: string | null }>
declare function price(id: number, signal: AbortSignal): Promise<string>

export const syncPrices = jobs.iteration({
  name: 'sync-prices',
  queue: 'bulk',
  input: z.object({ account: z.string() }),
  concurrency: 8,
  maxSlotTime: '5m',
  items: ({ account }) =>
    pages(async (token: string | undefined) => {
      const page = await shop(account, token)
      return { items: page.ids, next: page.next }
    }),
  prepare: async (id, { signal }) => ({ id, total: await price(id, signal) }), // network: no transaction is open
  async each(row, { tx, enqueue, idempotencyKey }) {
    same<typeof row, { id: number; total: string }>(true)
    await tx.query('insert into prices values ($1, $2, $3)', [row.id, row.total, idempotencyKey('price')])
    enqueue(importOrders, { file: `${row.id}.csv` })
  },
})
same<(typeof syncPrices)['~types'], { input: { account: string }; output: undefined }>(true)

export const touch = jobs.iteration({
  name: 'touch',
  checkpoint: 'periodic',
  partitions: 4,
  items: (_, { partition }) =>
    nested(range(partition.index, partition.of), (n) => rows<{ id: bigint }>(`select id from t${n}`, { key: 'id' })),
  each([n, row], { log }) {
    same<typeof n, number>(true)
    same<typeof row.id, bigint>(true)
    log.info(`${n} ${row.id}`)
  },
})

// A source of one's own is one object.
const countdown = (from: number): Source<number> => ({
  name: `countdown ${from}`,
  async *open(cursor) {
    for (let n = typeof cursor === 'number' ? cursor : from; n > 0; n--) yield { item: n, cursor: n - 1 }
  },
})
export const launch = jobs.iteration({
  name: 'launch',
  items: () => countdown(10),
  each: (n) => same<typeof n, number>(true),
})

export default jobs.app({ tasks: [importOrders, syncPrices, touch, launch] })
