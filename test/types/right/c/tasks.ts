import { holdfast, type InputOf, type ResultOf } from 'holdfast'
import { z } from 'zod'
import { same } from '../same.ts'

export const jobs = holdfast()

export const fetchPart = jobs.task({
  name: 'fetch-part',
  interrupt: 'restart',
  input: z.object({ accountId: z.string(), part: z.enum(['hris', 'ats']) }),
  run: ({ part }) => ({ part, count: 1, at: new Date(), skip: undefined }),
})
// What a later reader gets is what JSON makes of it.
same<ResultOf<typeof fetchPart>, { part: 'hris' | 'ats'; count: number; at: string; skip: undefined }>(true)
same<InputOf<typeof fetchPart>, { accountId: string; part: 'hris' | 'ats' }>(true)

export const onboard = jobs.task({
  name: 'onboard-account',
  timeLimit: '10s',
  input: z.object({ accountId: z.string() }),
  async run({ accountId }, { complete, enqueue }) {
    for (const part of ['hris', 'ats'] as const) enqueue(fetchPart, { accountId, part })
    return complete(async (tx) => {
      const { rowCount } = await tx.query('insert into accounts values ($1)', [accountId])
      return { rowCount }
    })
  },
})
same<ResultOf<typeof onboard>, { rowCount: number | null }>(true)

// Without an input there is nothing to give, and nothing that must be given.
export const nightly = jobs.task({ name: 'nightly', retry: false, run: (input) => same<typeof input, undefined>(true) })
same<ResultOf<typeof nightly>, undefined>(true)
void jobs.enqueue(nightly)
void jobs.enqueue(nightly, undefined, { after: '1h' })

// Exactly one start, whatever happens: no retry can be asked for.
export const charge = jobs.task({
  name: 'charge',
  delivery: 'at-most-once',
  input: z.object({ cents: z.number() }),
  run: ({ cents }) => cents,
})

// A task may enqueue itself, and tasks each other, without an annotation.
export const crawl = jobs.task({
  name: 'crawl',
  input: z.object({ url: z.string() }),
  async run({ url }, { enqueue }) {
    enqueue(crawl, { url: `${url}/` })
    enqueue(index, { url })
  },
})
export const index = jobs.task({
  name: 'index',
  input: z.object({ url: z.string() }),
  run({ url }, { enqueue }) {
    enqueue(crawl, { url })
  },
})

// A schema that contains itself does not send the compiler round in circles.
const Folder = z.object({
  name: z.string(),
  get folders() {
    return z.array(Folder)
  },
})
export const scan = jobs.task({ name: 'scan', input: Folder, run: ({ folders }) => folders.length })

// The schema may stand below the function that it types.
jobs.task({ name: 'below', run: ({ x }) => x.length, input: z.object({ x: z.string() }) })

export default jobs.app({ tasks: [fetchPart, onboard, nightly, charge, crawl, index, scan] })
