import type { Outcome } from '../../model/outcome.ts'
import type { Asked } from '../../store/checkpoints.ts'
import type { IterationBodyDefinition } from '../definition.ts'
import { requireSource } from '../sources/check.ts'
import { isEnd } from './end.ts'
import { periodicLoop } from './periodic.ts'
import type { IterationPort } from './port.ts'
import { Tracker } from './tracker.ts'
import { type LoopEnd, transactionalLoop } from './transactional.ts'

/** How the collection came to its end in this run, or why it did not. Throws what the user's code throws. */
export type IterationEnd =
  | { readonly kind: 'exhausted'; readonly items: number }
  | { readonly kind: 'ended'; readonly outcome: Outcome }

/**
 * One run of an iteration: opens the source at the saved cursor, works item by item, saves progress, and stops at a boundary when asked.
 * "The developer names the collection and the work per item, the system owns the loop" is job-iteration's idea; here progress is saved
 * during the run, not when it is interrupted, so it outlives SIGKILL.
 */
export async function iterate(
  body: IterationBodyDefinition,
  input: unknown,
  port: IterationPort,
): Promise<IterationEnd> {
  const { checkpoint } = port
  const stopped = port.stop()
  if (stopped) return ended({ stop: stopped })
  if (isEnd(checkpoint.cursor)) return { kind: 'exhausted', items: checkpoint.items }
  const first = checkpoint.cursor === undefined && checkpoint.items === 0
  if (first) await body.start?.(input, port.ctx)

  const partition = checkpoint.part ? { index: checkpoint.part.index, of: checkpoint.part.of } : { index: 0, of: 1 }
  const source = body.items(input, { partition })
  requireSource(
    `What items of iteration ${port.ctx.job.task} gives`,
    source,
    'a source, like array(…), range(…), rows(…) or csv(…)',
  )
  const tracker = new Tracker(checkpoint.items, checkpoint.total, checkpoint.cursor)
  tracker.total ??= await source.count?.(port.source).catch(() => undefined)

  const opened = { name: source.name, items: source.open(checkpoint.cursor, port.source) }
  const loop = body.checkpoint === 'periodic' ? periodicLoop : transactionalLoop
  const end = await loop(body, opened, tracker, port)
  return end === 'done' ? { kind: 'exhausted', items: tracker.items } : ended(end)
}

function ended(end: Exclude<LoopEnd, 'done'>): IterationEnd {
  if ('asked' in end) return { kind: 'ended', outcome: outcomeOf(end.asked) }
  return {
    kind: 'ended',
    outcome: end.stop === 'yield' ? { kind: 'yielded' } : { kind: 'interrupted', reason: end.stop },
  }
}

function outcomeOf(asked: Asked): Outcome {
  return asked.action === 'cancel' ? { kind: 'cancelled' } : { kind: 'interrupted', reason: 'pause' }
}
