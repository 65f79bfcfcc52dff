import { appendFileSync, readFileSync } from 'node:fs'
import { now } from './clock.ts'

/**
 * What the jobs of the `deploy` case leave behind: a line an item, outside every job system, so that no rollback and no bookkeeping of
 * theirs takes it back. Lines of several processes never mix: one append a line.
 */
export function itemDone(job: number | string, item: number): void {
  appendFileSync(process.env['BENCH_WITNESS'] ?? '', `${job} ${item} ${now().toFixed(1)}\n`)
}

export const ITEMS = Number(process.env['BENCH_ITEMS'] ?? 200)
export const ITEM_MS = Number(process.env['BENCH_ITEM_MS'] ?? 50)

export interface Effects {
  /** ms at which each item was done for the first time, in order. */
  readonly times: readonly number[]
  /** ms at which the last item of each job that has them all was done for the first time, in order. */
  readonly ended: readonly number[]
  /** Executions beyond the first one of an item. */
  readonly redone: number
  /** Items that were done more than once. */
  readonly twice: number
}

export function readEffects(file: string, items: number): Effects {
  const seen = new Map<string, number>()
  const left = new Map<string, number>()
  const times: number[] = []
  const ended: number[] = []
  for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) {
    const [job = '', item = '', time] = line.split(' ')
    const at = Number(time)
    const key = `${job} ${item}`
    const before = seen.get(key) ?? 0
    seen.set(key, before + 1)
    if (before > 0) continue
    times.push(at)
    const rest = (left.get(job) ?? items) - 1
    left.set(job, rest)
    if (rest === 0) ended.push(at)
  }
  const counts = [...seen.values()]
  return {
    times: times.sort((a, b) => a - b),
    ended: ended.sort((a, b) => a - b),
    redone: counts.reduce((sum, count) => sum + count - 1, 0),
    twice: counts.filter((count) => count > 1).length,
  }
}
