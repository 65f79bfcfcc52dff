import { HoldfastError } from '../model/errors.ts'
import { STATE_CODES } from '../store/codes.ts'
import type { Database, Queryable } from '../store/db.ts'
import { enqueue } from '../store/enqueue.ts'
import { finish, finishInTransaction } from '../store/settles.ts'
import { saveTails } from '../store/tails.ts'
import type { Attempt, Outgoing } from './attempt.ts'
import type { ContextPorts } from './context.ts'
import { resultText } from './result.ts'
import type { EngineTransactions, OpenTransaction } from './transactions.ts'

export interface CompletePorts {
  readonly db: Database
  readonly transactions: EngineTransactions
  readonly log: ContextPorts['log']
  readonly keepCompleted: boolean
  /** More writes of the engine's, before the completion. */
  readonly before?: (open: OpenTransaction) => Promise<void>
}

/** `ctx.complete`: the user's writes, what the run enqueued, and the job's completion, in one transaction. */
export async function completeInside(
  attempt: Attempt,
  write: (tx: unknown) => unknown,
  ports: CompletePorts,
): Promise<unknown> {
  if (attempt.completing)
    throw new HoldfastError(
      'HF_TX',
      'complete() was called twice in one run: it ends the job, so it can be called once.',
    )
  attempt.completing = true
  const { value, sent } = await ports.transactions.run(
    async (open) => {
      const value = await write(open.tx)
      return { value, sent: await finishInside(attempt, open, value, ports) }
    },
    { wait: attempt.wait },
  )
  attempt.sent(sent)
  attempt.settled = true
  return value
}

/** The last writes of a transaction that completes its job. Gives the enqueued jobs that are among them. */
export async function finishInside(
  attempt: Attempt,
  open: OpenTransaction,
  value: unknown,
  ports: CompletePorts,
): Promise<readonly Outgoing[]> {
  const sent = await writeEnqueued(ports.db, attempt, open.on)
  await ports.before?.(open)
  if (ports.keepCompleted) await saveLines(ports.db, attempt)
  await finishInTransaction(ports.db, open.on, attempt.job, {
    result: resultText(attempt, value, ports.log),
    keep: ports.keepCompleted,
    nonce: open.nonce,
  })
  return sent
}

/** A run that returned after `ctx.enqueue`: its completion and its new jobs commit together. False: the job has moved on. */
export async function finishWithEnqueued(
  ports: Pick<CompletePorts, 'db' | 'keepCompleted'>,
  attempt: Attempt,
  result: string | null,
): Promise<boolean> {
  const { db, keepCompleted } = ports
  const { id, run } = attempt.job
  if (keepCompleted) await saveLines(db, attempt)
  return db.transaction(async (on) => {
    const write = { id, run, state: STATE_CODES.completed, result, error: null, keep: keepCompleted }
    const ended = await finish(db, [write], { worker: attempt.ledger.worker, claims: [] }, on)
    if (!ended.has(id)) return false
    await writeEnqueued(db, attempt, on)
    return true
  })
}

/**
 * What the run has logged; when its job is gone, nothing may write for it any more. Not inside the transaction that ends the job: the worker saves
 * lines meanwhile, and two that both hold the job, the one waiting for the other's lines and that one for the job, end in a deadlock.
 */
async function saveLines(db: Database, attempt: Attempt): Promise<void> {
  const write = attempt.tail?.write(attempt.job)
  if (write !== undefined) await saveTails(db, [write])
}

/**
 * Writes what items before `items` enqueued: it commits with this transaction, or never existed. Tell the attempt that they were sent
 * once it has committed.
 */
export async function writeEnqueued(
  db: Database,
  attempt: Attempt,
  on: Queryable,
  items = Number.POSITIVE_INFINITY,
): Promise<readonly Outgoing[]> {
  const sending = attempt.outgoing.filter(({ item }) => item < items)
  const jobs = sending.map(({ job }) => job)
  for (const [queue, group] of Map.groupBy(jobs, (job) => job.queue)) await enqueue(db, group, queue, on)
  return sending
}
