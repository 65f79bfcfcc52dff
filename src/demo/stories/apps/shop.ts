import { setTimeout as sleep } from 'node:timers/promises'
import { range } from '../../../sources.ts'
import { contracts, jobs } from './contract.ts'
import { note } from './note.ts'

// This file is what a deploy replaces: every release gets a copy of it with settings of its own.
const SETTINGS = { release: 0, itemMs: 50, broken: false, oldColumn: true }

const { release, itemMs } = SETTINGS

const sendReceipt = contracts['send-receipt'].task({
  retry: { limit: 20, backoff: '1s', max: '1s' },
  run({ key }) {
    note({ release, task: 'send-receipt', key, did: SETTINGS.broken ? 'error' : 'end' })
    if (SETTINGS.broken) throw new TypeError("Cannot read properties of undefined (reading 'total')")
  },
})

/** Takes `n` ms in one piece. */
const inOnePiece =
  (task: string) =>
  async ({ key, n }: { key: string; n: number }): Promise<void> => {
    note({ release, task, key, did: 'begin' })
    await sleep(n)
    note({ release, task, key, did: 'end' })
  }

/** Uninterruptible, and within the limit that such tasks have: a deploy waits for it. */
const chargeCard = contracts['charge-card'].task({ timeLimit: '60s', run: inOnePiece('charge-card') })

const closeBooks = contracts['close-books'].task({
  timeLimit: '40m',
  legacy: { reason: 'one transaction over all accounts', until: '2099-12-31' },
  run: inOnePiece('close-books'),
})

/** Interruptible at any point. */
const rebuildIndex = contracts['rebuild-index'].iteration({
  checkpoint: 'periodic',
  items: ({ n }) => range(0, n),
  async each(item, { job }) {
    note({ release, task: 'rebuild-index', key: job.id, did: 'item', item })
    await sleep(itemMs)
  },
  done: (_input, _summary, { job }) => note({ release, task: 'rebuild-index', key: job.id, did: 'end' }),
})

const OLD_INSERT = 'insert into invoice (job, item, total, old_total) values ($1, $2, 100, 100)'
const NEW_INSERT = 'insert into invoice (job, item, total) values ($1, $2, 100)'

/** Writes to a table of the shop, which has no unique constraint. */
const settleOrders = contracts['settle-orders'].iteration({
  retry: { limit: 100, backoff: '300ms', max: '300ms' },
  items: ({ n }) => range(0, n),
  async each(item, { tx, job: { id: key } }) {
    await sleep(itemMs)
    try {
      await tx.query(SETTINGS.oldColumn ? OLD_INSERT : NEW_INSERT, [key, item])
    } catch (error) {
      note({ release, task: 'settle-orders', key, did: 'error', item })
      throw error
    }
    note({ release, task: 'settle-orders', key, did: 'item', item })
  },
  done: (_input, _summary, { job }) => note({ release, task: 'settle-orders', key: job.id, did: 'end' }),
})

export default jobs.app({
  tasks: [sendReceipt, chargeCard, closeBooks, rebuildIndex, settleOrders],
  pollInterval: '500ms',
  concurrency: 4,
})
