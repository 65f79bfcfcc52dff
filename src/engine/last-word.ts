import { writeSync } from 'node:fs'
import type { Verdict } from '../model/verdict.ts'
import { Database } from '../store/db.ts'
import type { RenewalOptions } from '../store/renewal.ts'
import { expireLease, releaseWorker, revokeWorker } from '../store/workers.ts'
import type { Paused } from './inspect.ts'
import { type StoppedPolicy, settleOwnVerdict } from './settle-verdict.ts'
import { within } from './within.ts'

/** "Try again": whoever runs this process is to start it anew. */
export const EXIT_REPLACE = 75

const PATIENCE_MS = 3_000
/** How long its lease still runs when its jobs could not be given back. */
const EXIT_MS = 500
/** It exits at once, but for a machine that has no time for it. */
const EXIT_MOST_MS = 2_000
const ROUNDS = 20

/**
 * The end of a process that no supervisor watches, from beside its blocked main thread: fails the job that is to blame, gives the others
 * back, and exits. Paused, the main thread runs nothing any more, so that all of it may run elsewhere at once.
 */
export async function sayLastWord(
  renewal: RenewalOptions | undefined,
  verdict: Verdict,
  policy: StoppedPolicy | undefined,
  paused: Paused | undefined,
): Promise<void> {
  writeLine(verdict)
  if (renewal !== undefined) await within(settle(renewal, verdict, policy, paused !== undefined), PATIENCE_MS)
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), EXIT_MOST_MS)
  if (paused === undefined) process.kill(process.pid, 'SIGKILL')
  else await paused.evaluate(`process.reallyExit(${EXIT_REPLACE})`)
}

async function settle(
  { url, direct, schema, worker }: RenewalOptions,
  verdict: Verdict,
  policy: StoppedPolicy | undefined,
  still: boolean,
): Promise<void> {
  const options = { schema, connections: 1, statementTimeout: PATIENCE_MS }
  const db = new Database({ url: direct?.url ?? url, ...options })
  try {
    if (policy !== undefined) await settleOwnVerdict(db, worker, verdict, policy)
    if (!still) return await expireLease(db, worker, EXIT_MS)
    await revokeWorker(db, worker, true)
    const how = { outcome: 'interrupted', reason: `its process was replaced: ${verdict.message}` } as const
    for (let round = 0; round < ROUNDS; round++) {
      if ((await releaseWorker(db, worker, how)).left === 0) return
    }
  } catch {
    // Then the lease runs out, and the jobs are given back by others.
  }
}

function writeLine({ job, message, stack }: Verdict): void {
  const who = job === undefined ? '' : `job ${job.id} of task ${job.task}: `
  try {
    writeSync(2, `holdfast: ${who}${message}. This process ends.\n${stack === undefined ? '' : `${stack}\n`}`)
  } catch {
    // Nobody reads it.
  }
}
