import type { InterruptReason } from '../../model/outcome.ts'
import type { Asked } from '../../store/checkpoints.ts'
import type { IterationBodyDefinition } from '../definition.ts'
import type { SourceItem } from '../source.ts'
import { END } from './end.ts'
import { ItemFailure } from './failure.ts'
import { inOrder } from './pipeline.ts'
import type { IterationPort } from './port.ts'
import type { Tracker } from './tracker.ts'

export type LoopEnd = { readonly asked: Asked } | { readonly stop: InterruptReason | 'yield' } | 'done'

/** Each item's effects and the cursor after it commit together: exactly once, whatever happens to the process. */
export async function transactionalLoop(
  body: IterationBodyDefinition,
  opened: { readonly name: string; readonly items: AsyncIterable<SourceItem<unknown>> },
  tracker: Tracker,
  port: IterationPort,
): Promise<LoopEnd> {
  const { prepare } = body
  // Kept, for the answer may change: an end that was a stop must not be taken for the end of the collection.
  let stop: ReturnType<IterationPort['stop']>
  const stopped = () => {
    stop ??= port.stop()
    return stop
  }
  const prepared = inOrder(opened.items, {
    from: tracker.items,
    concurrency: body.concurrency,
    more: () => stopped() === undefined && port.endsAt() === undefined,
    work: (item, index) => (prepare === undefined ? item : prepare(item, port.itemCtx(index))),
  })
  let index = tracker.items
  let cursor = tracker.cursor
  try {
    for await (const step of prepared) {
      index = step.index
      cursor = step.cursor
      const ctx = port.itemCtx(step.index)
      const after = () => (port.endsAt() === step.index ? END : step.cursor)
      const asked = await port.commit(
        () => tracker.saved(step.index + 1, after()),
        (tx) => body.each(step.ready, Object.assign(ctx, { tx })),
      )
      tracker.items = step.index + 1
      tracker.cursor = after()
      index = tracker.items
      if (asked) return { asked }
      if (tracker.cursor === END) return 'done'
      if (stopped()) break
    }
  } catch (error) {
    throw new ItemFailure(opened.name, index, cursor, error)
  }
  // A source may also just end when its signal aborts.
  const why = stopped()
  return why ? { stop: why } : 'done'
}
