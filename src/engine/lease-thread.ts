// Renews a worker's lease from a thread of its own: a busy event loop must not lose it. Stops renewing when the main loop has not ticked
// for `maxBlock`, so that a wedged worker cannot hold its jobs for ever.
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { Renewal } from '../store/renewal.ts'
import type { LeaseMessage, LeaseThreadData } from './lease.ts'
import { monotonic } from './monotonic.ts'

const { renewal: options, ticks, safeUntil, maxBlock } = workerData as LeaseThreadData
const renewal = new Renewal(options)
const every = options.lease / 3

let lastTick = -1
let tickedAt = monotonic()

function tell(message: LeaseMessage): void {
  parentPort?.postMessage(message)
}

function isBlocked(): boolean {
  const tick = Atomics.load(ticks, 0)
  if (tick !== lastTick) {
    lastTick = tick
    tickedAt = monotonic()
  }
  return monotonic() - tickedAt > maxBlock
}

for (;;) {
  if (isBlocked()) {
    tell({ kind: 'blocked' })
    await sleep(Math.min(every, 1000))
    continue
  }
  const sent = monotonic()
  try {
    const answer = await renewal.renew()
    if (answer !== 'revoked') Atomics.store(safeUntil, 0, BigInt(Math.floor(sent + options.lease)))
    tell({ kind: answer })
    if (answer === 'revoked') break
    await sleep(every)
  } catch (error) {
    tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
    await sleep(Math.min(every, 300))
  }
}
await renewal.close()
parentPort?.close()
