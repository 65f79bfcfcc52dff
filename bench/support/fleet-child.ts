import type { Duration } from '../../src/index.ts'
import type { ItemEvent } from '../systems/fleet.ts'
import { type Child, type Message, startChild } from './child.ts'

export interface FleetChildOptions {
  readonly url: string
  readonly lease?: Duration
  readonly concurrency?: number
  /** It will lose its lease on purpose. */
  readonly expectLoss?: boolean
}

/** A worker process of the fleet, ready. */
export async function startFleetChild(options: FleetChildOptions): Promise<Child> {
  const child = startChild('fleet-worker', options)
  await child.heard('ready')
  return child
}

/** The first item of a run of this job on this worker. */
export async function firstItem(child: Child, job: string, deadline?: number): Promise<ItemEvent> {
  for (;;) {
    const item = await child.heard<Message & ItemEvent>('item', deadline)
    if (item.job === job) return item
  }
}

export interface Left {
  /** Runs whose code would not end. */
  readonly left: number
  readonly handled: number
  readonly waits: readonly number[]
  /** The last item of each job that this worker began. */
  readonly last: readonly ItemEvent[]
}

/** What a worker says as it leaves after a stop signal. */
export function leaving(child: Child): Promise<Left> {
  return child.heard<Message & Left>('left')
}

export async function stop(child: Child | undefined): Promise<void> {
  child?.signal('SIGTERM')
  await child?.exited
}
