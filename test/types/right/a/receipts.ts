import { Discard } from 'holdfast'
import { same } from '../same.ts'
import * as contracts from './contracts.ts'

class ProviderDown extends Error {}

export const sendReceipt = contracts.sendReceipt.task({
  timeLimit: '20s',
  retry: { limit: 7, backoff: '5s', on: [ProviderDown, TypeError] },
  async run({ orderId, copies, paidAt }, { signal, log, enqueue, job, idempotencyKey, progress }) {
    // The body gets the schema's output: the default filled in, the date parsed.
    same<typeof orderId, string>(true)
    same<typeof copies, number>(true)
    same<typeof paidAt, Date>(true)
    same<typeof signal, AbortSignal>(true)
    if (!orderId) throw new Discard('order is gone')
    await fetch(`https://mail.example/${orderId}/${paidAt.getFullYear()}`, {
      method: 'POST',
      headers: { 'idempotency-key': idempotencyKey() },
      signal,
    })
    log.info('receipt sent', { run: job.run, copies })
    progress(1, copies)
    const made = enqueue(contracts.fetchPart, { accountId: orderId, part: 'ats' }, { after: '5m' })
    same<typeof made, { readonly id: string }>(true)
  },
})

// A declared result is the result; the body must return it.
export const fetchPart = contracts.fetchPart.task({
  interrupt: 'restart',
  aliases: ['fetch-account-part'],
  run: ({ part }) => ({ part, count: 1 }),
})
same<
  (typeof fetchPart)['~types'],
  { input: { accountId: string; part: 'hris' | 'ats' }; output: { part: string; count: number } }
>(true)

/** Other exports of a module of tasks are no hindrance. */
export const RECEIPT_FROM = 'shop@example.org'
