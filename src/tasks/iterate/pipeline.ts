import type { SourceItem } from '../source.ts'

/** One item on its way, in the order of the source. */
export interface Step<Ready> {
  /** The item's place in the collection. */
  readonly index: number
  /** The cursor that stands after it. */
  readonly cursor: unknown
  /** What the work on it gave; rejects when it failed. */
  readonly ready: Ready
}

interface Pending<Ready> {
  readonly index: number
  readonly cursor: unknown
  readonly work: Promise<Ready>
}

/**
 * Reads a source ahead and works on up to `concurrency` items at the same time, but gives them back in the order of the source: so the
 * cursor of the last one given back never passes an unfinished item.
 * `more` is asked before each further item is read; what is in work already is still given back, also when the source fails meanwhile:
 * a source that snoozes whenever it is read ahead would otherwise throw finished work away for ever.
 */
export async function* inOrder<Item, Ready>(
  source: AsyncIterable<SourceItem<Item>>,
  options: {
    from: number
    concurrency: number
    more: () => boolean
    work: (item: Item, index: number) => Ready | Promise<Ready>
  },
): AsyncGenerator<Step<Ready>> {
  const items = source[Symbol.asyncIterator]()
  const window: Pending<Ready>[] = []
  let index = options.from
  let ended = false
  let failure: { readonly error: unknown } | undefined
  try {
    for (;;) {
      while (!ended && window.length < options.concurrency && options.more()) {
        const next = await items.next().catch((error: unknown) => {
          failure = { error }
        })
        if (next === undefined || next.done) {
          ended = true
          break
        }
        const { item, cursor } = next.value
        // A later item may fail, at once too, while an earlier one is still awaited: it is reported when its turn comes.
        const at = index
        const work = new Promise<Ready>((resolve) => resolve(options.work(item, at)))
        work.catch(() => {})
        window.push({ index, cursor, work })
        index++
      }
      const first = window.shift()
      if (first === undefined) {
        if (failure) throw failure.error
        return
      }
      yield { index: first.index, cursor: first.cursor, ready: await first.work }
    }
  } finally {
    await Promise.allSettled(window.map((pending) => pending.work))
    if (!ended) await items.return?.()
  }
}
