import { Pool } from 'pg'
import { same } from '../same.ts'
import { fetchPart, sendReceipt } from './contracts.ts'
import { jobs } from './jobs.ts'

const pool = new Pool()

export async function pay(orderId: string) {
  const tx = await pool.connect()
  try {
    await tx.query('begin')
    await tx.query('update orders set paid = true where id = $1', [orderId])
    const { id } = await jobs.enqueue(
      sendReceipt,
      { orderId, paidAt: new Date().toISOString() },
      { tx, queue: 'bulk', after: new Date(), expires: '2h', priority: 3 },
    )
    same<typeof id, string>(true)
    await tx.query('commit')
    return id
  } catch (error) {
    await tx.query('rollback')
    throw error
  } finally {
    tx.release()
  }
}

export async function backfill(accounts: AsyncIterable<string>) {
  const inputs = async function* () {
    for await (const accountId of accounts) yield { accountId, part: 'ats' as const }
  }
  const { created } = await jobs.enqueueMany(fetchPart, inputs(), { priority: 9 })
  const { cancelled } = await jobs.cancel('0198c0de-0000-7000-8000-000000000000')
  await jobs.close()
  return created - cancelled
}
