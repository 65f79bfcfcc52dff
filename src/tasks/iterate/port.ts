import type { InterruptReason } from '../../model/outcome.ts'
import type { Asked, Checkpoint } from '../../store/checkpoints.ts'
import type { Ctx, ItemCtx } from '../context.ts'
import type { SourceContext } from '../source.ts'

/** What is saved when items are done. */
export interface Saved {
  /** Items done in all. */
  readonly items: number
  readonly total: number | undefined
  /** The cursor that stands after the last of them, not encoded yet. */
  readonly cursor: unknown
  /** Items a second in this run. */
  readonly rate: number | undefined
}

/** What the loop needs of the engine. Everything that it saves is fenced; a refusal throws `HF_FENCED`. */
export interface IterationPort {
  readonly checkpoint: Checkpoint
  /** For `start` and `done`. */
  readonly ctx: Ctx<string>
  readonly source: SourceContext
  /** ms between two periodic checkpoints. */
  readonly checkpointEvery: number
  itemCtx(index: number): ItemCtx<string>
  /** Asked after each item: why the loop should stop at this boundary. */
  stop(): InterruptReason | 'yield' | undefined
  /** The item whose code ended the collection, if one did. */
  endsAt(): number | undefined
  /** Runs `work` in a transaction and saves the progress, as it is then, as its last write. */
  commit(saved: () => Saved, work: (tx: unknown) => unknown): Promise<Asked | undefined>
  /** Saves progress outside any transaction of the user's. */
  save(saved: Saved): Promise<Asked | undefined>
}
