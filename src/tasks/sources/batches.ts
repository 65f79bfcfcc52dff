import { checkInteger } from '../../model/options.ts'
import type { Source, SourceContext, SourceItem } from '../source.ts'
import { requireSource } from './check.ts'

/** A batch is held in memory, and done or redone as a whole. */
const MAX_SIZE = 1_000_000

/**
 * The items of a source in arrays of `size`; the last one may be shorter. The cursor is that of the last item in the
 * batch, so that `size` may change from build to build, and batches may be added to or taken from a source, while
 * jobs are under way.
 *
 * When the source fails or snoozes after some items, those come first as a short batch: what was read is done before
 * the run ends, and a source that snoozes after every page still makes progress.
 */
export function batches<Item>(source: Source<Item>, size: number): Source<readonly Item[]> {
  requireSource('The source of batches()', source)
  checkInteger(size, 1, MAX_SIZE, '`size` of batches()')
  return {
    name: `${source.name}, in batches of ${size}`,
    open: (cursor, context) => gather(source.open(cursor, context), size, context),
    ...(source.count !== undefined && { count: async (context) => batchCount(await source.count?.(context), size) }),
  }
}

async function* gather<Item>(
  items: AsyncIterable<SourceItem<Item>>,
  size: number,
  { signal }: SourceContext,
): AsyncGenerator<SourceItem<readonly Item[]>, void> {
  let batch: Item[] = []
  let last: unknown
  try {
    for await (const { item, cursor } of items) {
      batch.push(item)
      last = cursor
      if (batch.length < size) continue
      const full = batch
      batch = []
      yield { item: full, cursor }
    }
  } catch (error) {
    signal.throwIfAborted()
    if (batch.length > 0) yield { item: batch, cursor: last }
    throw error
  }
  signal.throwIfAborted()
  if (batch.length > 0) yield { item: batch, cursor: last }
}

function batchCount(items: number | undefined, size: number): number | undefined {
  return items === undefined ? undefined : Math.ceil(items / size)
}
