import { planSettle } from '../../model/settle-plan.ts'
import { STATE_CODES } from '../../store/codes.ts'
import type { Database } from '../../store/db.ts'
import { delay, finish } from '../../store/jobs.ts'
import type { TaskRules } from './messages.ts'

/** What a process said of its own end: see `Verdict` of the engine. */
interface LastWord {
  readonly kind: string
  readonly job?: { readonly id: string; readonly run: number; readonly task: string; readonly failures: number }
  readonly message: string
  readonly stack?: string
  readonly blockedMs?: number
}

export interface Settled {
  readonly message: string
  readonly job: { readonly job: string; readonly run: number; readonly task: string } | undefined
  /** What is told of the jobs that ran beside it. */
  readonly neighbours: string
}

const CODES: Readonly<Record<string, string>> = { 'hard-limit': 'HF_HARD_LIMIT', blocked: 'HF_HARD_LIMIT' }

/**
 * Settles the jobs that a process named as the reason of its end, by the same fenced statements as any worker: each has failed, by its
 * task's own policy. The jobs beside it have not.
 */
export async function settleCulprits(
  db: Database,
  lines: readonly string[],
  tasks: Readonly<Record<string, TaskRules>>,
): Promise<Settled[]> {
  const settled: Settled[] = []
  for (const word of lines.map(parse)) {
    if (word === undefined) continue
    const { job, message } = word
    if (job !== undefined) await settle(db, word, job, tasks[job.task])
    settled.push({
      message,
      job: job && { job: job.id, run: job.run, task: job.task },
      neighbours: `its worker process was replaced: ${message}`,
    })
  }
  return settled
}

async function settle(
  db: Database,
  { kind, message, stack, blockedMs }: LastWord,
  { id, run, failures }: NonNullable<LastWord['job']>,
  rules: TaskRules | undefined,
): Promise<void> {
  const delivery = rules?.delivery ?? 'at-least-once'
  const retry = rules?.retry ?? false
  const error = Object.assign(new Error(message), { code: CODES[kind] })
  const facts = { delivery, started: true, failures }
  const plan = planSettle(facts, { kind: 'failed', error, retry: 'policy' }, retry, Math.random)
  const failure = JSON.stringify({ name: 'Error', message, code: CODES[kind], stack, blockedMs })
  const nothing = { worker: 0, claims: [] }
  if (plan.kind === 'retry') {
    const write = { id, run, state: STATE_CODES.retrying, until: plan.when, reason: message.slice(0, 200) }
    await delay(db, [{ ...write, failed: true, error: failure }], nothing)
    return
  }
  const final = JSON.stringify({ ...JSON.parse(failure), final: plan.kind === 'fail' ? plan.why : undefined })
  await finish(db, [{ id, run, state: STATE_CODES.failed, result: null, error: final, keep: true }], nothing)
}

function parse(line: string): LastWord | undefined {
  try {
    const word = JSON.parse(line) as LastWord
    return typeof word.message === 'string' ? word : undefined
  } catch {
    return undefined // cut in the middle by the end of the process
  }
}
