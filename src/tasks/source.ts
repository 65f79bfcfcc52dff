/**
 * A collection with a cursor: all that iteration needs to know about where items come from.
 * Write your own by implementing this interface; `docs/guide/sources.md` shows one, and the rules.
 *
 * The idea of "the developer names the collection, the system owns the loop" is job-iteration's.
 */
export interface Source<Item> {
  /** For messages and `jobs show`: `csv orders.csv`, `rows select …`. */
  readonly name: string
  /**
   * Yields the items after `cursor` (`undefined`: from the start), each with the cursor that stands *after* it.
   * A cursor is a JSON value; opening at it must not depend on this process's memory.
   * To wait long without holding a slot, throw `Snooze`: the job comes back at the last checkpoint.
   */
  open(cursor: unknown, context: SourceContext): AsyncIterable<SourceItem<Item>>
  /** The number of items in all, if it is cheap to know. Shown as progress and ETA. */
  count?(context: SourceContext): Promise<number | undefined>
}

export interface SourceItem<Item> {
  readonly item: Item
  /** The position after this item, as JSON. */
  readonly cursor: unknown
}

/** What the engine lends to a source while it is open. */
export interface SourceContext {
  /** Aborts when no further item will be worked on, as soon as a stop is asked for: stop promptly; throwing and returning are both fine. */
  readonly signal: AbortSignal
  /** A read outside any transaction, on the job's database. The server cancels it when it takes longer than the engine allows. */
  query(text: string, values?: readonly unknown[]): Promise<{ rows: Record<string, unknown>[] }>
  /** Says something once per run to whoever operates the job: the log, and `jobs show`. */
  warn(message: string): void
}
