import { EXIT_REPLACE } from '../engine/last-word.ts'
import { within } from '../engine/within.ts'
import type { Worker } from '../engine/worker.ts'
import type { Verdict } from '../model/verdict.ts'

export interface ReplaceOptions {
  readonly verdict: Verdict
  /** A supervisor settles the culprit, gives back what is left and starts a new process, once this one is dead. */
  readonly supervised: boolean
  readonly log: (level: 'error' | 'warn', message: string, data: object) => void
  /** Ends this process at once. */
  readonly exit: (code: number) => void
}

/** All in all, the code of the culprit runs for less than a second longer than it may. */
const HAND_OFF_MS = 500
const LAST_CALL_MS = 750
const CLOSE_MS = 1_500

/**
 * Ends a process in which code runs that nothing else can stop. What runs beside it gets a moment to come to a safe place, and goes on
 * elsewhere, unpunished.
 */
export async function replaceProcess(worker: Worker, options: ReplaceOptions): Promise<void> {
  const { verdict, supervised, log, exit } = options
  const { job } = verdict
  const others = worker.attempts.size - 1
  log('error', `${verdict.message}: this process is replaced, its ${others} other runs are handed back`, {
    ...(job && { job: job.id, task: job.task, run: job.run }),
    event: 'replaced',
    others,
  })
  void worker.stopClaiming()
  worker.interrupt((attempt) => attempt.task.interrupt === 'resume', 'replace', false)
  worker.interrupt((attempt) => attempt.task.interrupt !== 'resume', 'replace', true)
  const quiet = worker.quiet((attempt) => attempt.condemned !== undefined)
  if (
    (await within(
      quiet.then(() => true),
      HAND_OFF_MS,
    )) === undefined
  ) {
    worker.interrupt(() => true, 'replace', true)
    await within(quiet, LAST_CALL_MS - HAND_OFF_MS)
  }
  if (supervised) return void process.kill(process.pid, 'SIGKILL')
  await worker.close(CLOSE_MS)
  exit(EXIT_REPLACE)
}
