// Renews a worker's lease from a thread of its own: a busy event loop must not lose it. Stops renewing when the main loop has not ticked
// for longer than its code may, so that a wedged worker cannot hold its jobs for ever. Watches the main loop beside it.
import { parentPort, workerData } from 'node:worker_threads'
import { Renewal } from '../store/renewal.ts'
import { tellBlackbox } from './blackbox.ts'
import { heldJobs } from './held-jobs.ts'
import { sayLastWord } from './last-word.ts'
import type { LeaseMessage, LeaseOrder, LeaseThreadData } from './lease.ts'
import { monotonic } from './monotonic.ts'
import { Stillness } from './stillness.ts'
import { rescueTails } from './tail-rescue.ts'
import { Watchdog } from './watchdog.ts'

const IDLE_MS = 60_000
const { ticks, stillness, maxBlock, blackbox, tasks, debugged } = workerData as LeaseThreadData

let order: LeaseOrder | undefined
let revoked: number | undefined
let wake = (): void => {}
const watchdog = new Watchdog({
  ticks,
  stillness: new Stillness(stillness),
  maxBlock,
  supervised: blackbox !== undefined,
  held: () => heldJobs(order?.renewal, tasks),
  rescue: (unsaved) => rescueTails(order?.renewal, unsaved),
  onUnblocked: (blockage) => tell({ kind: 'unblocked', blockage }),
  condemn: async (verdict, policy, paused) => {
    // Its supervisor sees to the rest when it is dead; without one that hears, there is nobody else.
    if (tellBlackbox(blackbox, verdict)) process.kill(process.pid, 'SIGKILL')
    else await sayLastWord(order?.renewal, verdict, policy, paused)
  },
})

parentPort?.on('message', (next: LeaseOrder) => {
  order = next
  wake()
})
if (!debugged) watchdog.start()
tell({ kind: 'ready' })
for (;;) {
  const next = order
  if (next === undefined || next.renewal.worker === revoked) await pause(IDLE_MS)
  else await keep(next)
}

/** Renews until the lease is revoked or another one is to be kept. */
async function keep(kept: LeaseOrder): Promise<void> {
  const renewal = new Renewal(kept.renewal)
  while (order === kept && revoked !== kept.renewal.worker) await pause(await renew(renewal, kept))
  await renewal.close()
}

/** One renewal; gives the pause until the next. */
async function renew(renewal: Renewal, { renewal: { worker, lease }, safeUntil }: LeaseOrder): Promise<number> {
  if (watchdog.wedged) return Math.min(lease / 3, 1000)
  const sent = monotonic()
  try {
    const answer = await renewal.renew()
    if (answer === 'revoked') revoked = worker
    else Atomics.store(safeUntil, 0, BigInt(Math.floor(sent + lease)))
    tell({ kind: answer, worker })
    return answer === 'revoked' ? 0 : lease / 3
  } catch (error) {
    tell({ kind: 'failed', worker, message: error instanceof Error ? error.message : String(error) })
    return Math.min(lease / 3, 300)
  }
}

/** Until the time is over or another order has come. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    wake = () => {
      clearTimeout(timer)
      resolve()
    }
  })
}

function tell(message: LeaseMessage): void {
  parentPort?.postMessage(message)
}
