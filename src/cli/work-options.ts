import { wholeNumber } from './arguments.ts'

export interface WorkCommandOptions {
  readonly queues?: string | undefined
  readonly concurrency?: string | undefined
  readonly build?: string | undefined
  readonly config?: string | undefined
  readonly json?: true | undefined
}

export function concurrencyOf(concurrency: string | undefined): number | undefined {
  return concurrency === undefined ? undefined : wholeNumber(concurrency, 1, 10_000, '--concurrency')
}
