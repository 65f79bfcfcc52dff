import { holdfast } from 'holdfast'

export const jobs = holdfast({
  database: process.env.DATABASE_URL,
  queues: { realtime: { concurrency: 20 }, bulk: {} },
})
