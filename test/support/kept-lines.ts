import type { Database } from '../../src/store/db.ts'
import { showTails } from '../../src/store/tails.ts'
import { until } from './until.ts'

/** Between two lines of a run that talks. */
export const TALK_EVERY_MS = 50

/** Waits for the worst moment: the lines of a run that talks were kept once more, and will be again in an instant. */
export async function justBeforeKept(db: Database, id: string): Promise<void> {
  const said = async () => (await showTails(db, id, 1))[0]?.said ?? 0
  await until(async () => (await said()) > 60, { what: 'it has talked for a while' })
  const before = await said()
  await until(async () => (await said()) > before, { what: 'its lines are kept again' })
  await new Promise((resolve) => setTimeout(resolve, 1_900))
}

/**
 * What is owed of the lines that a killed process has said: all that are older than three seconds. The process itself shows how far the
 * machine held everything up meanwhile: its timer came late by that much.
 */
export function owedLines(saidAt: readonly number[], killedAt: number): number[] {
  const span = saidAt.filter((at) => at > killedAt - 10_000)
  const late = span.slice(1).map((at, n) => Math.max(0, at - (span[n] as number) - 2 * TALK_EVERY_MS))
  const heldUp =
    late.reduce((sum, ms) => sum + ms, 0) + Math.max(0, killedAt - (span.at(-1) ?? killedAt) - 2 * TALK_EVERY_MS)
  return saidAt.filter((at) => at < killedAt - 3_000 - heldUp)
}
