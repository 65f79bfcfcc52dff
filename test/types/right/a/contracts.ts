import { z } from 'zod'
import { jobs } from './jobs.ts'

export const sendReceipt = jobs.contract({
  name: 'send-receipt',
  queue: 'realtime',
  expires: '1h',
  version: 2,
  input: z.object({
    orderId: z.string(),
    copies: z.number().default(1),
    paidAt: z.iso.datetime().transform((s) => new Date(s)),
  }),
})

export const fetchPart = jobs.contract({
  name: 'fetch-part',
  queue: 'bulk',
  priority: 7,
  input: z.object({ accountId: z.string(), part: z.enum(['hris', 'ats']) }),
  result: z.object({ part: z.string(), count: z.number() }),
})
