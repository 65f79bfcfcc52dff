import type { Transactions } from 'holdfast'
import { range } from 'holdfast/sources'
import { same } from '../../same.ts'
import { api, backfill as contract } from '../shared/jobs.ts'

/** What an ORM's adapter gives. */
interface OrmTransaction {
  insert(table: string, row: object): Promise<void>
}
declare const orm: Transactions<OrmTransaction>

export const jobs = api.connect({ database: process.env.DATABASE_URL, tx: orm })

export const backfill = jobs.implement(contract).iteration({
  items: ({ from }) => range(from, 100),
  async each(n, { tx }) {
    same<typeof tx, OrmTransaction>(true)
    await tx.insert('numbers', { n })
  },
})

export const enqueueHere = (tx: OrmTransaction) => jobs.enqueue(contract, { from: 1 }, { tx, queue: 'bulk' })

export default jobs.app({ tasks: [backfill] })
