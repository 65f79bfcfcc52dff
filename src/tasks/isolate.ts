import { HoldfastError } from '../model/errors.ts'
import { checkChoice, checkInteger, checkKeys } from '../model/options.ts'
import { show } from '../model/show.ts'

/**
 * Where the runs of a task take place when not in the worker itself: `true`, in a process of their own, one at a time; `'thread'`, in a
 * thread of their own, which costs less and can be stopped as surely, but a native crash in it takes the worker along.
 */
export type Isolate = boolean | 'thread' | IsolateOptions

export interface IsolateOptions {
  /** Default 'process'. */
  readonly in?: 'process' | 'thread'
  /** Runs after which the process is replaced by a fresh one: 1 to 1000000, default 500. What runs leak, they leak until then. */
  readonly recycleAfter?: number
  /** The most that its JavaScript heap may hold, in MB: a run that needs more dies, alone. Default: node's own limit. */
  readonly heapMb?: number
}

/** The same, complete. */
export interface Isolation {
  readonly in: 'process' | 'thread'
  readonly recycleAfter: number
  readonly heapMb: number | undefined
}

const RECYCLE_AFTER = 500

/** @throws {HoldfastError} HF_CONFIG. */
export function resolveIsolate(isolate: Isolate | undefined, what: string): Isolation | undefined {
  if (isolate === undefined || isolate === false) return undefined
  if (isolate === true) return { in: 'process', recycleAfter: RECYCLE_AFTER, heapMb: undefined }
  if (isolate === 'thread') return { in: 'thread', recycleAfter: RECYCLE_AFTER, heapMb: undefined }
  if (typeof isolate !== 'object' || isolate === null) {
    throw new HoldfastError('HF_CONFIG', `${what} must be true, false, 'thread' or an object, not ${show(isolate)}`)
  }
  const { recycleAfter = RECYCLE_AFTER, heapMb, in: place = 'process' } = checkKeys(isolate, KEYS, what)
  return {
    in: checkChoice(place, ['process', 'thread'], `in of ${what}`),
    recycleAfter: checkInteger(recycleAfter, 1, 1_000_000, `recycleAfter of ${what}`),
    heapMb: heapMb === undefined ? undefined : checkInteger(heapMb, 32, 1_048_576, `heapMb of ${what}`),
  }
}

const KEYS = ['in', 'recycleAfter', 'heapMb'] as const
