import type { Holdfast, HoldfastOptions, QueueOptions } from '../../../src/tasks/client.ts'
import type { PgClient } from '../../../src/tasks/transactions.ts'

export declare function holdfast<
  const Queues extends Record<string, QueueOptions> = Record<never, never>,
  Tx = PgClient,
>(options?: HoldfastOptions<Queues, Tx>): Holdfast<(keyof Queues & string) | 'default', Tx>
export declare class Discard extends Error {
  constructor(reason: string)
}
export type * from '../../../src/tasks/client.ts'
export type * from '../../../src/tasks/context.ts'
export type * from '../../../src/tasks/contract.ts'
export type * from '../../../src/tasks/schema.ts'
export type * from '../../../src/tasks/source.ts'
export type * from '../../../src/tasks/transactions.ts'
