import type { Attempt } from '../engine/attempt.ts'
import { EXIT_REPLACE } from '../engine/last-word.ts'
import { within } from '../engine/within.ts'
import type { Worker } from '../engine/worker.ts'
import { formatDuration } from '../model/duration.ts'
import type { Verdict } from '../model/verdict.ts'

export interface ReplaceOptions {
  readonly verdict: Verdict
  /** A supervisor settles the culprit, gives back what is left and starts a new process, once this one is dead. */
  readonly supervised: boolean
  /** ms that runs which must finish may take: their own limits hold, too. */
  readonly patience: number
  readonly log: (level: 'error' | 'warn', message: string, data: object) => void
  /** Ends this process at once. */
  readonly exit: (code: number) => void
}

/** With nobody to wait for, the code of the culprit runs for less than a second longer than it may. */
const HAND_OFF_MS = 500
const LAST_CALL_MS = 250
const CLOSE_MS = 1_500

/**
 * Ends a process in which code runs that nothing else can stop. What runs beside it gets a moment to come to a safe place, and goes on
 * elsewhere, unpunished; what must finish is let to its end, as at a stop signal: the loop still turns, and its lease is kept.
 */
export async function replaceProcess(worker: Worker, options: ReplaceOptions): Promise<void> {
  const { patience, supervised, exit } = options
  say(worker, options)
  void worker.stopClaiming()
  worker.interrupt((attempt) => attempt.task.interrupt === 'resume', 'replace', false)
  worker.interrupt((attempt) => attempt.task.interrupt === 'restart', 'replace', true)
  const quiet = worker.quiet(isCondemned).then(() => true)
  if (!(await within(quiet, HAND_OFF_MS))) {
    worker.interrupt((attempt) => !mustFinish(attempt), 'replace', true)
    if ([...worker.attempts].some(mustFinish))
      await within(
        worker.quiet((attempt) => !mustFinish(attempt)),
        patience - HAND_OFF_MS,
      )
    worker.interrupt(() => true, 'replace', true)
    await within(quiet, LAST_CALL_MS)
  }
  if (supervised) return void process.kill(process.pid, 'SIGKILL')
  try {
    await worker.close({ patience: CLOSE_MS, exits: true })
  } finally {
    exit(EXIT_REPLACE)
  }
}

function say(worker: Worker, { verdict, patience, log }: ReplaceOptions): void {
  const { job, message } = verdict
  const others = worker.attempts.size - 1
  const finishing = [...worker.attempts].filter(mustFinish).length
  const rest =
    finishing === 0 ? '' : `, but for ${finishing} that must finish first, within ${formatDuration(patience)}`
  log('error', `${message}: this process is replaced, its ${others} other runs are handed back${rest}`, {
    ...(job && { job: job.id, task: job.task, run: job.run }),
    event: 'replaced',
    others,
  })
}

function isCondemned(attempt: Attempt): boolean {
  return attempt.condemned !== undefined
}

function mustFinish(attempt: Attempt): boolean {
  return attempt.task.interrupt === 'finish' && !isCondemned(attempt)
}
