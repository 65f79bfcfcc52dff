import { holdfast } from 'holdfast'
import { z } from 'zod'

export const api = holdfast({ queues: { bulk: {} } })
export const backfill = api.contract({ name: 'backfill', queue: 'bulk', input: z.object({ from: z.number() }) })
