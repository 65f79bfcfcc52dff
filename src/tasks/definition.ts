import type { Legacy } from '../model/legacy.ts'
import type { RetryOptions, RetryPolicy } from '../model/retry.ts'
import type { ResolvedLimit } from '../model/time-limit.ts'
import type { Partition } from './body.ts'
import type { Ctx, ItemCtx } from './context.ts'
import type { Isolation } from './isolate.ts'
import type { Schema } from './schema.ts'
import type { Source } from './source.ts'

/** What a producer's call needs: a contract or a task, resolved and validated. */
export interface ContractDefinition {
  readonly name: string
  readonly queue: string
  readonly version: number
  readonly priority: number
  /** ms; undefined: never expires. */
  readonly expires: number | undefined
  readonly input: Schema | undefined
  readonly result: Schema | undefined
}

/** A task as the engine runs it. */
export interface TaskDefinition extends ContractDefinition {
  readonly kind: 'task' | 'iteration'
  readonly aliases: readonly string[]
  /** The versions of inputs that it takes, the oldest first, its own last. */
  readonly versions: readonly number[]
  /** By the version that a step leads away from; undefined: the task does not say. */
  readonly upgrades: UpgradeChain | undefined
  /** Of an `iteration`. */
  readonly cursorUpgrades: UpgradeChain
  readonly interrupt: 'finish' | 'restart' | 'resume'
  readonly delivery: 'at-least-once' | 'at-most-once'
  /** Complete: what the task leaves out is the app's, then the default. */
  readonly retry: RetryPolicy
  /** As written, since the app's defaults are known later. */
  readonly retryOptions: RetryOptions | false | undefined
  /** ms; undefined: neither the task nor the app says. */
  readonly timeLimit: ResolvedLimit | undefined
  /** The task says its limit itself: an app's default is bent to fit, this one is not. */
  readonly ownLimit: boolean
  /** ms without a sign of life after which a run is stopped; undefined: it may take its time. */
  readonly stallAfter: number | undefined
  readonly legacy: Legacy | undefined
  /** After the soft limit, while the code is being stopped. */
  readonly onTimeout: ((input: unknown, ctx: never) => unknown) | undefined
  /** Undefined: its runs are in the worker itself. */
  readonly isolate: Isolation | undefined
  /** Of a `task`. */
  readonly run: ((input: unknown, ctx: never) => unknown) | undefined
  /** Of an `iteration`. */
  readonly iteration: IterationBodyDefinition | undefined
}

/** By the version that it leads away from. */
export type UpgradeChain = ReadonlyMap<number, UpgradeStep>
export type UpgradeStep = (old: unknown) => unknown

/** An iteration's functions, without their types: inside the engine an item is whatever the source gave. */
export interface IterationBodyDefinition {
  readonly start: ((input: unknown, ctx: Ctx<string>) => unknown) | undefined
  readonly items: (input: unknown, where: { readonly partition: Partition }) => Source<unknown>
  readonly partitions: number
  readonly prepare: ((item: unknown, ctx: ItemCtx<string>) => unknown) | undefined
  readonly checkpoint: 'transactional' | 'periodic'
  readonly concurrency: number
  /** ms; undefined: no limit. */
  readonly maxSlotTime: number | undefined
  readonly each: (item: unknown, ctx: ItemCtx<string>) => unknown
  readonly done: ((input: unknown, summary: { readonly count: number }, ctx: Ctx<string>) => unknown) | undefined
}
