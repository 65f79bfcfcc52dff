import type { Duration } from '../model/duration.ts'
import type { Ctx, EachCtx, ItemCtx, TaskCtx } from './context.ts'
import type { Legacy, Policy } from './policy.ts'
import type { Source } from './source.ts'
import type { CursorUpgrades, Upgrades } from './upgrade.ts'

/** One function, run from start to end. */
export interface TaskBody<Q extends string, Tx, Parsed, Out, In = unknown, V extends number = number> extends Policy {
  /**
   * For jobs that older code enqueued: from the inputs of each older `version` to those of the next. Without it they wait for a worker
   * that takes them. What is stored stays; it is upgraded at each run.
   */
  readonly upgrade?: Upgrades<V, In>
  /**
   * What to do when the worker must go. `'finish'` (default): let it end, so it needs a time limit inside the shutdown
   * budget. `'restart'`: cut it and run it again from the start, elsewhere, at once; for work that is idempotent or harmless to repeat.
   */
  readonly interrupt?: 'finish' | 'restart'
  /**
   * At the soft time limit, after `signal` has aborted: clean up until the hard one. The run has failed and ends when both have. Throwing
   * here changes nothing.
   */
  readonly onTimeout?: (input: Parsed, ctx: Ctx<Q>) => unknown
  /**
   * This task must finish, and takes longer than a deploy can wait (`policy.maxFinish`): it runs all the same, and is named at every start
   * until it has been improved. Say why, and until which day.
   */
  readonly legacy?: Legacy
  readonly run: (input: Parsed, ctx: TaskCtx<Q, Tx>) => Out | Promise<Out>
}

/** Which of the parallel jobs of one iteration this is. */
export interface Partition {
  /** From 0 to `of - 1`. */
  readonly index: number
  readonly of: number
}

/**
 * A collection and the work per item. Holdfast owns the loop, the cursor, the checkpoint and the hand-off to another worker.
 *
 * Write `items`, `prepare`, `each`, `done` in the order in which they run: TypeScript infers from left to right, and an
 * `each` above its `items` is given `unknown`. `delivery` is missing on purpose: a resumed job has started more than once.
 */
export interface IterationBody<
  Q extends string,
  Tx,
  Parsed,
  Item,
  Ready,
  M extends 'transactional' | 'periodic',
  Out,
  In = unknown,
  V extends number = number,
> extends Omit<Policy, 'delivery'> {
  /**
   * As in a task, but a job that has begun under this code goes on as a job of this version: its input and cursor are upgraded once, and
   * older workers leave it alone from then on.
   */
  readonly upgrade?: Upgrades<V, In>
  /** For jobs that older code began: what became of its cursors. Only where `items` means something else by them now. */
  readonly upgradeCursor?: CursorUpgrades<V>
  /** Before the first item of the first run (of each partition); not again after a resume. Runs again if that run ended before its first checkpoint. */
  readonly start?: (input: Parsed, ctx: Ctx<Q>) => unknown
  /** The collection. Called once a run; the cursor, not this call, says where to go on. */
  readonly items: (input: Parsed, where: { readonly partition: Partition }) => Source<Item>
  /** How many jobs work through the collection side by side, each on the part that `items` makes of its `partition`. Default 1. */
  readonly partitions?: number
  /** Slow work (network) on an item, outside any transaction; several at once with `concurrency`. Its result is what `each` gets. */
  readonly prepare?: (item: Item, ctx: ItemCtx<Q>) => Ready | Promise<Ready>
  /**
   * `'transactional'` (default): `each` gets `tx`, and its writes commit with the cursor: exactly once.
   * `'periodic'`: the cursor is saved from time to time: at least once, with little redone after a crash.
   */
  readonly checkpoint?: M
  /** Items in work at the same time. Default 1. The cursor never passes an unfinished item. */
  readonly concurrency?: number
  /** As in a task: at the soft time limit, after `signal` has aborted. */
  readonly onTimeout?: (input: Parsed, ctx: Ctx<Q>) => unknown
  /**
   * How long a run may go without finishing an item before it is stopped: a failure, `HF_STALLED`; the next run goes on from the
   * checkpoint. Calling `progress()` counts as a sign of life. Default '5m'; `false`: for ever.
   */
  readonly stallAfter?: Duration | false
  /** How long a run may keep its slot while other jobs wait for one; then it yields and goes on later. Default: no limit. */
  readonly maxSlotTime?: Duration
  /** The work on one item. */
  readonly each: (item: NoInfer<Ready>, ctx: EachCtx<Q, Tx, M>) => unknown
  /** After the last item of the last partition, once; `count` is the items of all. What it returns is the job's result. */
  readonly done?: (input: Parsed, summary: { readonly count: number }, ctx: Ctx<Q>) => Out | Promise<Out>
}
