import type { Duration } from '../model/duration.ts'
import type { Priority } from './enqueue-options.ts'
import type { CheckInput } from './json-type.ts'
import type { Schema } from './schema.ts'

/**
 * What a producer needs: a name, a queue, a schema. Every task is one, so `enqueue` takes either.
 * The members that begin with `~` exist in the types only.
 */
export interface Contract<Name extends string, In, Out> {
  readonly name: Name
  readonly queue: string
  readonly '~accepts': (input: In) => void
  readonly '~types': { input: In; output: Out }
}

/** A contract with its body: what `app({ tasks })` runs. */
export interface Task<Name extends string, In, Out> extends Contract<Name, In, Out> {
  readonly kind: 'task' | 'iteration'
}

// biome-ignore lint/suspicious/noExplicitAny: `any` is the one type argument that every contract is assignable to
export type AnyContract = Contract<string, any, any>
// biome-ignore lint/suspicious/noExplicitAny: as above
export type AnyTask = Task<string, any, any>

/** What a producer gives to `enqueue`. */
export type InputOf<T extends AnyContract> = T['~types']['input']

/** What the job ends with, as JSON brings it back. */
export type ResultOf<T extends AnyContract> = T['~types']['output']

/** The part of a task that its producers know. */
export interface ContractOptions<
  Name extends string,
  S extends Schema,
  R extends Schema,
  Q extends string,
  V extends number = number,
> {
  /**
   * The task's identity in the database, for as long as a job of it lives: renaming the variable or moving the file
   * changes nothing. Letters, digits and `_ . : / -`, at most 128. To rename a task, keep its old name in `aliases`.
   */
  readonly name: Name
  /** One of the queues given to `holdfast()`; `'default'` when left out. Else `HF_QUEUE_NOT_FOUND`. */
  readonly queue?: Q
  /**
   * The schema of the input, checked on `enqueue` and again when the job runs. What is stored is what the producer
   * gave (the schema's input), so a transform runs on the worker, with the worker's code. Left out: no input.
   */
  readonly input?: S & CheckInput<S>
  /** The schema of the result. Left out: whatever the body returns. */
  readonly result?: R
  /** Default for jobs of this task: 5. `enqueue` may override it. */
  readonly priority?: Priority
  /** A job that has not started this long after `enqueue` is not run any more. Default: never expires. */
  readonly expires?: Duration
  /**
   * Stored with every job: which shape of the input its producer knew. A whole number from 1 to 32767; default 1. Raise it when older
   * code could not work with new inputs, or newer code with old ones; the task's `upgrade` takes the old ones over.
   */
  readonly version?: V
}
