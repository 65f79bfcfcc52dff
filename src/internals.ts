import type { Connection } from './connection.ts'
import type { ResolvedConfig } from './model/config.ts'
import type { QueueOptions } from './tasks/client.ts'
import type { Registry } from './tasks/registry.ts'
import type { Transactions } from './tasks/transactions.ts'

/** What a client keeps for the worker and the CLI. */
export interface ClientInternals {
  readonly queues: ReadonlyMap<string, QueueOptions>
  readonly connection: Connection
  readonly transactions: Transactions<unknown> | undefined
  readonly maxInputBytes: number
}

export interface AppInternals {
  readonly client: ClientInternals
  readonly registry: Registry
  /** `shutdown.grace` as the app has it; undefined: it leaves it to HOLDFAST_GRACE. */
  readonly grace: string | undefined
  /** The worker's settings; the grace is read again at start, where HOLDFAST_GRACE may have its say. */
  readonly configure: (grace: string | undefined) => ResolvedConfig
}

/** Registered symbols: a config loader may load this package a second time. */
const CLIENT = Symbol.for('holdfast.client')
const APP = Symbol.for('holdfast.app')

export function withClient<T extends object>(value: T, internals: ClientInternals): T {
  return Object.defineProperty(value, CLIENT, { value: internals })
}

export function withApp<T extends object>(value: T, internals: AppInternals): T {
  return Object.defineProperty(value, APP, { value: internals })
}

export function clientOf(value: unknown): ClientInternals | undefined {
  return (value as { [CLIENT]?: ClientInternals } | null | undefined)?.[CLIENT]
}

export function appOf(value: unknown): AppInternals | undefined {
  return (value as { [APP]?: AppInternals } | null | undefined)?.[APP]
}
