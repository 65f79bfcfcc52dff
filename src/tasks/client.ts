import type { AppOptions, Work, WorkOptions } from './app.ts'
import type { IterationBody, TaskBody } from './body.ts'
import type { InputAndOptions } from './context.ts'
import type { AnyContract, ContractOptions, InputOf, Task } from './contract.ts'
import type { Enqueued, EnqueueOptions } from './enqueue-options.ts'
import type { Implementable } from './implementable.ts'
import type { Json } from './json-type.ts'
import type { TimeLimit } from './policy.ts'
import type { NoInput, Schema, SchemaInput, SchemaOutput } from './schema.ts'
import type { PgClient, Transactions } from './transactions.ts'

export interface QueueOptions {
  /** Jobs of this queue that one worker process runs at the same time. Default: as many as the worker has slots. */
  readonly concurrency?: number
  /** No run of this queue's jobs may take longer, whatever its task says. */
  readonly timeLimit?: TimeLimit
}

export interface HoldfastOptions<Queues extends Record<string, QueueOptions>, Tx> {
  /** Every queue there is, beside `'default'`. A queue that is not named here is a compile error, and `HF_QUEUE_NOT_FOUND`. */
  readonly queues?: Queues
  /**
   * A connection string. Left out: a PostgreSQL server of this project's own is started in `.holdfast/`, except when
   * NODE_ENV is `production`: then the first use throws `HF_NO_DATABASE`.
   */
  readonly database?: string | undefined
  /** Your ORM's transactions. Left out: `tx` is a `pg` client. */
  readonly tx?: Transactions<Tx>
  /** The PostgreSQL schema that holds Holdfast's tables. Default `'holdfast'`. */
  readonly schema?: string
  /** The largest input, in bytes of its JSON; a larger one is `HF_INPUT_TOO_LARGE`. Default 256 KiB. */
  readonly maxInputBytes?: number
}

type TaskOptions<Name extends string, S extends Schema, Q extends string, V extends number> = Omit<
  ContractOptions<Name, S, Schema, Q, V>,
  'result'
>

/**
 * The client, and the factory of everything that knows its queues and its transactions.
 * It knows no task, so anything may import it; it opens no connection until it is used.
 */
export interface Holdfast<Q extends string, Tx> {
  /** A task without its body, for producers that must not import worker code. */
  contract<
    const Name extends string,
    S extends Schema = NoInput,
    R extends Schema = Schema,
    const V extends number = 1,
  >(
    options: ContractOptions<Name, S, R, Q, V>,
  ): Implementable<Name, SchemaInput<S>, SchemaOutput<S>, SchemaOutput<R>, Q, Tx, V>

  /** The same contract with this client's queues and `tx`: only when contracts live in a package without a database. */
  implement<Name extends string, In, Parsed, Out, Q2 extends Q, V extends number>(
    // biome-ignore lint/suspicious/noExplicitAny: whatever transactions the contract was declared with, it gets this client's
    contract: Implementable<Name, In, Parsed, Out, Q2, any, V>,
  ): Implementable<Name, In, Parsed, Out, Q, Tx, V>

  /** The same queues on a database: only when this client was made without one, in a package that producers share. */
  connect<Tx2 = PgClient>(where: {
    readonly database?: string | undefined
    readonly tx?: Transactions<Tx2>
  }): Holdfast<Q, Tx2>

  /** One function, run from start to end. */
  task<const Name extends string, Out, S extends Schema = NoInput, const V extends number = 1>(
    options: TaskOptions<Name, S, Q, V> & TaskBody<Q, Tx, SchemaOutput<S>, Out, SchemaInput<S>, V>,
  ): Task<Name, SchemaInput<S>, Json<Out>>

  /** A collection and the work per item, resumed where it was interrupted. Write `items`, `prepare`, `each`, `done` in this order. */
  iteration<
    const Name extends string,
    Item,
    S extends Schema = NoInput,
    Ready = Item,
    M extends 'transactional' | 'periodic' = 'transactional',
    Out = void,
    const V extends number = 1,
  >(
    options: TaskOptions<Name, S, Q, V> & IterationBody<Q, Tx, SchemaOutput<S>, Item, Ready, M, Out, SchemaInput<S>, V>,
  ): Task<Name, SchemaInput<S>, Json<Out>>

  /** What a worker runs, and how; the default export of `holdfast.config.ts`. Only the worker and the CLI load it. */
  app(options: AppOptions): App<Q, Tx>

  /**
   * One job. Resolves after its commit, or, with `tx`, when it is part of your transaction.
   * Errors of the call: `HF_INPUT` (schema, or not JSON), `HF_INPUT_TOO_LARGE`, `HF_QUEUE_NOT_FOUND`, `HF_NO_DATABASE`, `HF_TX` (`tx` is in no
   * transaction, or in one of another database), `HF_CLOSED`. No job was made.
   * Errors of the way: `HF_DATABASE_REFUSED` and `HF_DATABASE_DOWN`, the job was not sent; `HF_ENQUEUE_UNKNOWN`, the answer was lost, and the job whose id the message
   * names may exist. Inside `tx` they are your driver's own, and your transaction decides.
   */
  enqueue<T extends AnyContract>(task: T, ...rest: InputAndOptions<T, EnqueueOptions<Q, Tx>>): Promise<Enqueued>

  /** Many jobs of one task, streamed in batches: the inputs may be endless or larger than memory. */
  enqueueMany<T extends AnyContract>(
    task: T,
    inputs: Iterable<InputOf<T>> | AsyncIterable<InputOf<T>>,
    options?: EnqueueOptions<Q, Tx>,
  ): Promise<{ readonly created: number }>

  /** Ends a job: at once if it waits, at its next safe point if it runs (its `signal` aborts). Counts 0 if it had ended. */
  cancel(id: string, options?: { readonly tx?: Tx }): Promise<{ readonly cancelled: number }>

  /** Sends what is still being coalesced, then closes the connections. The client cannot be used afterwards. */
  close(): Promise<void>
}

/** A client with its tasks. */
export interface App<Q extends string, Tx> {
  readonly jobs: Holdfast<Q, Tx>
  /** Runs a worker in this process; `holdfast work` runs one in a process of its own. */
  work(options?: WorkOptions<Q>): Promise<Work>
}
