/** A worker process of the cases in which workers come and go: stopped by real signals, as a platform would. */

import { onStopSignal } from '../../src/deploy/signals.ts'
import type { Duration } from '../../src/index.ts'
import { startWork } from '../../src/worker.ts'
import { now } from '../support/clock.ts'
import { answer, config, say } from '../support/inside.ts'
import { fleet, type ItemEvent } from '../systems/fleet.ts'
import { quiet } from '../systems/holdfast.ts'
import type { Payload } from '../systems/system.ts'

const { url, lease, concurrency, expectLoss } = config<{
  url: string
  lease?: Duration
  concurrency?: number
  /** It will lose its lease on purpose: not worth a line. */
  expectLoss?: boolean
}>()

let handled = 0
let inside = false
/** Waits of jobs that carry the time at which they were sent; one in ten. */
let waits: number[] = []
/** How much was handled when, every 50 ms from the start on. */
const timeline: [at: number, handled: number][] = []
const last = new Map<string, ItemEvent>()
const { jobs, noop, heap, walk, write, stuck } = fleet(url, {
  onJob({ sentAt, orderId }: Payload) {
    handled++
    if (sentAt > 0 && handled % 10 === 0) waits.push(now() - sentAt)
    if (orderId.startsWith('late')) say('late', { orderId, at: now() })
  },
  onItem(item) {
    last.set(item.job, item)
    if (item.first) say('item', item)
  },
  goInside: () => inside,
  onInside: () => say('inside'),
})
const app = jobs.app({
  tasks: [noop, heap, walk, write, stuck],
  ...(lease !== undefined && { lease }),
  ...(concurrency !== undefined && { concurrency }),
})
const startedAt = now()
setInterval(() => timeline.push([now(), handled]), 50).unref()
const worker = await startWork(app, { log: expectLoss ? () => {} : quiet })

async function leave(): Promise<void> {
  const { left } = await worker.shutdown({ reason: 'deploy' })
  await jobs.close()
  say('left', { left, handled, waits, last: [...last.values()] })
  process.disconnect?.()
  process.exit(0)
}

onStopSignal(
  () => void leave(),
  () => {},
)
answer({
  timeline: () => say('timeline', { startedAt, timeline }),
  inside: () => {
    inside = true
  },
  sample: () => {
    say('sample', { handled, at: now(), waits })
    waits = []
  },
})
say('ready', { at: now(), key: worker.key })
