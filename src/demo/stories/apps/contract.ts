import { holdfast } from '../../../holdfast.ts'
import type { Schema } from '../../../tasks/schema.ts'

/** What the web server of the shop knows: the stories enqueue with it, every release of the workers implements it. */
export const jobs = holdfast({ database: process.env['DATABASE_URL'], queues: { shop: {}, bulk: {} } })

interface Work {
  /** Which one it is, for the witness. */
  readonly key: string
  /** How long it takes, or how many items it has. */
  readonly n: number
}

/** An application would take zod's. */
const input: Schema<Work> = {
  '~standard': {
    version: 1,
    vendor: 'holdfast-demo',
    validate: (value) =>
      typeof (value as Partial<Work> | null)?.n === 'number'
        ? { value: value as Work }
        : { issues: [{ message: 'n must be a number', path: ['n'] }] },
  },
}

export const contracts = {
  'send-receipt': jobs.contract({ name: 'send-receipt', queue: 'shop', input }),
  'charge-card': jobs.contract({ name: 'charge-card', queue: 'shop', input }),
  'close-books': jobs.contract({ name: 'close-books', queue: 'shop', input }),
  'rebuild-index': jobs.contract({ name: 'rebuild-index', queue: 'bulk', input }),
  'settle-orders': jobs.contract({ name: 'settle-orders', queue: 'bulk', input }),
}
