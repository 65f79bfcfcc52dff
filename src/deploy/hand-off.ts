import { setTimeout as sleep } from 'node:timers/promises'
import type { Attempt } from '../engine/attempt.ts'
import { monotonic } from '../engine/monotonic.ts'
import { within } from '../engine/within.ts'
import type { Worker } from '../engine/worker.ts'
import type { InterruptReason } from '../model/outcome.ts'

/** In which of these queues a job would find no free slot elsewhere. */
export type Crowded = (queues: readonly string[]) => Promise<readonly string[]>

const LOOK_EVERY_MS = 100
/** A database that is slower than this is not waited for. */
const ANSWER_WITHIN_MS = 100

/**
 * Asks what can resume to stop at its next item. Where every slot elsewhere is taken, a job that was handed off would stand still until the
 * replacement has started. There it goes on for as long as that is so, `most` ms at the longest: no platform's grace is so short that it
 * would be cut.
 */
export async function handOffResumable(
  worker: Worker,
  reason: InterruptReason,
  crowded: Crowded,
  most: number,
): Promise<void> {
  const begun = monotonic()
  for (;;) {
    const resumable = [...worker.attempts].filter(isResumable)
    // With room for more of them here, there is most likely room elsewhere: nobody is asked, for every item counts that would be begun meanwhile.
    const queues = [...new Set(resumable.map(({ job }) => job.queue))].filter((queue) => worker.isFull(queue))
    const left = most - (monotonic() - begun)
    const full = queues.length === 0 || left <= 0 ? [] : await ask(crowded, queues)
    worker.interrupt((attempt) => isResumable(attempt) && !full.includes(attempt.job.queue), reason, false)
    if (full.length === 0) return
    // It alone keeps nothing alive.
    await sleep(Math.max(0, Math.min(LOOK_EVERY_MS, left)), undefined, { ref: false })
  }
}

function isResumable({ task }: Attempt): boolean {
  return task.interrupt === 'resume'
}

async function ask(crowded: Crowded, queues: readonly string[]): Promise<readonly string[]> {
  const answer = crowded(queues).catch(() => [])
  return (await within(answer, ANSWER_WITHIN_MS)) ?? []
}
