import { within } from '../../engine/within.ts'
import { formatDuration } from '../../model/duration.ts'
import type { Database } from '../../store/db.ts'
import { type DeployState, listDeploys } from '../../store/deploys.ts'
import { endHold, patiently } from './hold.ts'

const END_WITHIN_MS = 5_000

export interface LetGoOptions {
  readonly number: number
  readonly why: string
  /** What is kept with the deploy. */
  readonly report: object | undefined
  /** ms until the hold ends by itself, when nobody can end it now. */
  readonly most: number
  /** It may have passed: whether the last word about a way that was free has arrived, nobody knows. */
  readonly mayHavePassed: boolean
}

/** Ends the hold of a preparation that gives up. Resolves with why workers may still be held; null: they are not, by this deploy. */
export async function letGo(db: Database, options: LetGoOptions): Promise<string | null> {
  const { number, most, mayHavePassed } = options
  let trouble = 'the database does not answer'
  const ending = patiently(() => end(db, options), END_WITHIN_MS).catch((error: unknown) => {
    if (error instanceof Error) trouble = error.message
    return undefined
  })
  const state = await within(ending, END_WITHIN_MS)
  if (state === 'migrating') return `Somebody has marked deploy ${number} as migrating: its workers stay held.`
  if (state !== undefined) return null
  const byHand = mayHavePassed ? `, or with \`holdfast deploy abort ${number}\`` : ''
  return `The hold could not be ended (${trouble}): it ends by itself in at most ${formatDuration(most)}${byHand}.`
}

/** Resolves with the state that the deploy is in then. */
async function end(db: Database, { number, why, report }: LetGoOptions): Promise<DeployState> {
  // 'held': what said that the way is free may have arrived, and only its answer have been lost.
  await endHold(db, number, { state: 'aborted', why, report, from: ['preparing', 'held'] })
  const [now] = await listDeploys(db, { number, most: 1 })
  return now?.state ?? 'aborted'
}
