import { setTimeout as sleep } from 'node:timers/promises'
import { monotonic } from '../../engine/monotonic.ts'
import { GATE } from '../../engine/wake.ts'
import { isHoldfastError } from '../../model/errors.ts'
import type { Database } from '../../store/db.ts'
import { isConnectionTrouble } from '../../store/db-errors.ts'
import { type Deploy, type EndOfDeploy, endDeploy, listDeploys, renewDeploy } from '../../store/deploys.ts'
import { wake } from '../../store/enqueue.ts'

/** The hold of a deploy that has passed its gate: kept by the command that goes on with it, and ended. */

/** Long before it runs out, and soon after somebody else has ended it. */
const RENEW_SHARE = 1 / 4
const RENEW_MOST_MS = 10_000
const TRY_AGAIN_MS = 500

/**
 * Renews a hold until it is told to stop, or there is nothing left to renew. Then `lost` gets the deploy as it is now, once: unless it was
 * finished, which is what everybody wanted.
 * @returns a function that stops it.
 */
export function keepHold(db: Database, number: number, ms: number, lost: (now: Deploy) => void): () => void {
  let asking = false
  let over = false
  const stop = (): void => {
    over = true
    clearInterval(timer)
  }
  const renew = async (): Promise<void> => {
    if (await renewDeploy(db, number, ms, ['held', 'migrating'])) return
    const [now] = await listDeploys(db, { number, most: 1 })
    if (over) return
    stop()
    if (now !== undefined && now.state !== 'finished') lost(now)
  }
  const turn = async (): Promise<void> => {
    if (asking) return
    asking = true
    // A database that does not answer: the next try may come through, and nobody claims meanwhile either.
    await renew().catch(() => {})
    asking = false
  }
  const timer = setInterval(() => void turn(), Math.min(ms * RENEW_SHARE, RENEW_MOST_MS))
  return stop
}

/** Resolves with what the deploy was; undefined: it was in none of the states that it may end from. */
export async function endHold(db: Database, number: number, how: EndOfDeploy): ReturnType<typeof endDeploy> {
  const ended = await endDeploy(db, number, how)
  await wake(db, GATE).catch(() => {})
  return ended
}

/** Tries again for a time when the database does not answer: it may restart in the very moment when a command ends. */
export async function patiently<T>(work: () => Promise<T>, ms: number): Promise<T> {
  const until = monotonic() + ms
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const mayPass = isConnectionTrouble(error) || isHoldfastError(error, 'HF_DEPLOY_BUSY')
      if (!mayPass || monotonic() > until) throw error
      await sleep(TRY_AGAIN_MS)
    }
  }
}
