import { holdfast, type InputOf } from 'holdfast'
import { range } from 'holdfast/sources'
import { z } from 'zod'
import { same } from '../same.ts'

export const jobs = holdfast()
const input = z.object({ order: z.string(), at: z.iso.datetime().transform((text) => new Date(text)) })

// The producer's side knows the version, the worker's what becomes of older inputs; the last step gives what a producer would give today.
export const send = jobs.contract({ name: 'send', version: 3, input })
export const sendTask = send.task({
  upgrade: {
    1: (old: { id: number }) => ({ order: String(old.id) }),
    2: async (old: { order: string }) => ({ ...old, at: '2026-01-01T00:00:00Z' }),
  },
  run: ({ at }) => same<typeof at, Date>(true),
})
same<InputOf<typeof sendTask>, { order: string; at: string }>(true)

// Not every older version must be taken, and a step may stand anywhere among the options.
jobs.task({ name: 'a', upgrade: { 2: () => ({ order: '', at: '' }) }, version: 3, input, run() {} })
jobs.task({ name: 'a', version: 2, input, upgrade: {}, run() {} })
// What comes in is unknown until the code says what the older code enqueued.
jobs.task({
  name: 'a',
  version: 2,
  input,
  upgrade: { 1: (old) => ({ order: String(same<typeof old, unknown>(true)), at: '' }) },
  run() {},
})

// Two digits; a number that the compiler does not know; one without an input.
jobs.task({ name: 'a', version: 42, input, upgrade: { 41: () => ({ order: '', at: '' }), 40: () => 1 }, run() {} })
jobs.task({ name: 'a', version: Number(process.argv[2]), input, upgrade: { 1: () => ({ anything: true }) }, run() {} })
jobs.task({ name: 'a', version: 1_234, input, upgrade: { 1233: () => ({ anything: true }) }, run() {} })
jobs.task({ name: 'a', version: 2, upgrade: { 1: () => undefined }, run() {} })
jobs.task({ name: 'a', upgrade: {}, run() {} })

// The types of the items are inferred as before.
export const walk = jobs.iteration({
  name: 'walk',
  version: 2,
  input: z.object({ to: z.number() }),
  upgrade: { 1: (old: { until: number }) => ({ to: old.until }) },
  upgradeCursor: { 1: (cursor: { after: number }) => cursor.after },
  items: ({ to }) => range(0, to),
  each: (n, { tx }) => same<typeof n, number>(true) ?? tx,
})
