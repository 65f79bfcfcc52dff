import { encodeCursor } from '../model/cursor.ts'
import { HoldfastError } from '../model/errors.ts'
import { encodeInput } from '../model/json.ts'
import type { Outcome } from '../model/outcome.ts'
import {
  type Asked,
  adopt,
  type Checkpoint,
  loadCheckpoint,
  saveCheckpoint,
  saveCheckpointInTransaction,
} from '../store/checkpoints.ts'
import { fanOut, finishPart, forgetParts, lockParts } from '../store/parts.ts'
import { readRows } from '../store/reading.ts'
import type { IterationBodyDefinition } from '../tasks/definition.ts'
import { isEnd } from '../tasks/iterate/end.ts'
import { iterate } from '../tasks/iterate/iterate.ts'
import type { IterationPort, Saved } from '../tasks/iterate/port.ts'
import { upgradeCursor } from '../tasks/versions.ts'
import type { Attempt } from './attempt.ts'
import { completeInside, finishInside, writeEnqueued } from './complete.ts'
import { itemContext, type RunContext } from './context.ts'
import type { ExecutePorts } from './execute-ports.ts'
import { uuidv7 } from './ids.ts'
import { monotonic } from './monotonic.ts'

/** How an iteration's run ended, when not by completing with a result. */
export class IterationEnded {
  readonly outcome: Outcome
  constructor(outcome: Outcome) {
    this.outcome = outcome
  }
}

/** One run of an iteration: from its saved progress to the end of the collection, or to where it was stopped. */
export async function runIteration(
  attempt: Attempt,
  body: IterationBodyDefinition,
  input: unknown,
  context: RunContext,
  ports: ExecutePorts,
): Promise<unknown> {
  const checkpoint = await openCheckpoint(attempt, body, ports)
  ports.opened?.(attempt, checkpoint)
  if (checkpoint.items > 0) ports.log('info', `Job goes on at item ${checkpoint.items}`, undefined, attempt)
  const port = iterationPort(attempt, body, checkpoint, context, ports)
  if (body.checkpoint === 'periodic' && checkpoint.afterLoss) reportRedone(attempt, body, checkpoint, ports)
  const end = await iterate(body, input, port)
  if (end.kind === 'ended') return new IterationEnded(end.outcome)
  if (checkpoint.part)
    return finishOnePart(attempt, body, input, { part: checkpoint.part, items: end.items }, context, ports)
  return body.done?.(input, { count: end.items }, port.ctx)
}

async function openCheckpoint(
  attempt: Attempt,
  body: IterationBodyDefinition,
  ports: ExecutePorts,
): Promise<Checkpoint> {
  const { db } = ports
  const found = await adopted(held(await loadCheckpoint(db, attempt.job), attempt), attempt, ports)
  if (body.partitions === 1 || found.part || found.items > 0) return found
  const others = Array.from({ length: body.partitions - 1 }, () => uuidv7())
  if (!(await fanOut(db, attempt.job, others))) throw movedOn(attempt)
  return held(await loadCheckpoint(db, attempt.job), attempt)
}

/**
 * A job that older code enqueued or began goes on as one of this version, before anything is saved that older code could not read: input,
 * cursor and version change in one fenced write, so that it is never half of each, and older workers leave it alone from then on.
 */
async function adopted(found: Checkpoint, attempt: Attempt, { db, log }: ExecutePorts): Promise<Checkpoint> {
  const { job, task, upgraded } = attempt
  if (upgraded === undefined) return found
  const keeps = found.cursor === undefined || found.cursor === null || isEnd(found.cursor)
  const cursor = keeps ? found.cursor : await upgradeCursor(task, job.version, found.cursor)
  const input = upgraded.raw === undefined ? null : encodeInput(upgraded.raw, { maxBytes: MAX_UPGRADED_BYTES })
  const to = { version: task.version, input, cursor: keeps ? null : encodeCursor(cursor, task.name) }
  if (!(await adopt(db, job, to))) throw movedOn(attempt)
  log('info', `Job goes on as version ${task.version}; it was of version ${job.version}`, undefined, attempt)
  return { ...found, cursor }
}

/** Its producer's own limit has let the old one through. */
const MAX_UPGRADED_BYTES = 64 * 1024 * 1024

function iterationPort(
  attempt: Attempt,
  body: IterationBodyDefinition,
  checkpoint: Checkpoint,
  context: RunContext,
  ports: ExecutePorts,
): IterationPort {
  const { db } = ports
  const warned = new Set<string>()
  const progressOf = (saved: Saved) => ({ ...saved, cursor: encodeCursor(saved.cursor, attempt.task.name) })
  const note = (asked: Asked | undefined): Asked | undefined => {
    attempt.asked = asked ?? attempt.asked
    ports.checkpointed?.(attempt)
    return asked
  }
  return {
    checkpoint,
    ctx: context as never,
    checkpointEvery: ports.checkpointEvery,
    itemCtx: (index) => itemContext(context, attempt, index),
    source: {
      signal: attempt.readingSignal,
      query: (text, values) =>
        readRows(db, text, values, attempt.loopWait) as Promise<{ rows: Record<string, unknown>[] }>,
      warn: (message) => {
        if (warned.has(message)) return
        warned.add(message)
        ports.log('warn', message, undefined, attempt)
      },
    },
    stop: () => {
      attempt.steps++
      if (attempt.stopAt !== undefined) return attempt.stopAt
      if (body.maxSlotTime === undefined || monotonic() - attempt.startedAt < body.maxSlotTime) return undefined
      return ports.crowded(attempt.job.queue) ? 'yield' : undefined
    },
    endsAt: () => attempt.endsAt,
    commit: async (progress, work) => {
      const { asked, sent } = await ports.transactions.run(
        async (open) => {
          await work(open.tx)
          // Encoded before the last statement: a cursor that is no JSON must undo the item, too.
          const saved = progressOf(progress())
          return { saved, sent: await writeEnqueued(db, attempt, open.on, saved.items) }
        },
        {
          wait: attempt.loopWait,
          last: async ({ on, nonce }, { saved, sent }) => ({
            asked: await saveCheckpointInTransaction(db, on, attempt.job, saved, nonce),
            sent,
          }),
        },
      )
      attempt.sent(sent)
      return note(asked)
    },
    save: async (saved) => {
      const progress = progressOf(saved)
      if (attempt.outgoing.length > 0) return note(await saveWithEnqueued(attempt, progress, ports))
      const answer = await saveCheckpoint(db, attempt.job, progress)
      if (answer === 'refused') throw movedOn(attempt)
      return note(answer)
    },
  }
}

async function saveWithEnqueued(
  attempt: Attempt,
  progress: Parameters<typeof saveCheckpoint>[2],
  ports: ExecutePorts,
): Promise<Asked | undefined> {
  const { asked, sent } = await ports.db.transaction(async (on) => {
    const sent = await writeEnqueued(ports.db, attempt, on, progress.items)
    const asked = await saveCheckpoint(ports.db, attempt.job, progress, on)
    if (asked === 'refused') throw movedOn(attempt)
    return { asked, sent }
  })
  attempt.sent(sent)
  return asked
}

/**
 * The end of one part. All but the last complete in the transaction that marks them finished, so that two parts which end together cannot
 * both believe that the other one is the last; the last one calls `done`, and completes together with forgetting the parts.
 */
async function finishOnePart(
  attempt: Attempt,
  body: IterationBodyDefinition,
  input: unknown,
  own: { readonly part: { readonly root: string }; readonly items: number },
  context: RunContext,
  ports: ExecutePorts,
): Promise<unknown> {
  const { root } = own.part
  const { id } = attempt.job
  const { others, sent } = await ports.transactions.run(
    async (open) => {
      const others = await lockParts(ports.db, open.on, root, id)
      if (others.unfinished === 0) return { others, sent: [] }
      await finishPart(ports.db, open.on, root, id, own.items)
      return { others, sent: await finishInside(attempt, open, { items: own.items }, ports) }
    },
    { wait: attempt.wait },
  )
  if (others.unfinished > 0) {
    attempt.sent(sent)
    attempt.settled = true
    return undefined
  }
  const result = await body.done?.(input, { count: others.items + own.items }, context as never)
  if (attempt.settled) return result
  return completeInside(attempt, async () => result, {
    ...ports,
    before: (open) => forgetParts(ports.db, open.on, root),
  })
}

/** At least once means: after a loss, what was done since the last checkpoint is done again. That is bounded, and said. */
function reportRedone(
  attempt: Attempt,
  body: IterationBodyDefinition,
  { items, rate }: Checkpoint,
  { log, checkpointEvery }: ExecutePorts,
): void {
  const most = rate === undefined ? undefined : Math.ceil((rate * checkpointEvery) / 1000) + body.concurrency
  const howMany = most === undefined ? 'the items' : `about ${most} items at most`
  log(
    'warn',
    `The run before was lost: ${howMany} after item ${items} may be done a second time`,
    { items, most },
    attempt,
  )
}

function held(found: Checkpoint | undefined, attempt: Attempt): Checkpoint {
  if (found === undefined) throw movedOn(attempt)
  return found
}

function movedOn(attempt: Attempt): HoldfastError {
  return new HoldfastError(
    'HF_FENCED',
    `Job ${attempt.job.id} has moved on: run ${attempt.job.run} may not write to it any more.`,
  )
}
