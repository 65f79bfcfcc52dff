import { test as serial } from 'vitest'
import type { RunningWorker } from '../../src/worker.ts'

/**
 * Most of these tests wait: for leases, backoffs, processes. So those of a file run side by side, each on a stage of its own. The time is
 * an upper bound for a machine that is busy with other things.
 */
export function test(title: string, run: () => Promise<void>): void {
  serial.concurrent(`${title}`, { timeout: 180_000 }, run)
}

/** Opens once; whoever waits at it goes on then. */
export interface Gate {
  readonly opened: Promise<void>
  open(): void
  /** Resolves when somebody has come to it. */
  readonly reached: Promise<void>
  /** Waits at it. */
  pass(): Promise<void>
}

export function gate(): Gate {
  const door = Promise.withResolvers<void>()
  const arrival = Promise.withResolvers<void>()
  return {
    opened: door.promise,
    open: door.resolve,
    reached: arrival.promise,
    pass() {
      arrival.resolve()
      return door.promise
    },
  }
}

/** Numbers from 0. */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}

/** Stops a worker as a deploy does. */
export async function deployOver(worker: RunningWorker): Promise<void> {
  await worker.shutdown({ reason: 'deploy' })
}
