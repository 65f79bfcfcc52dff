// The program of a cell: a process or thread that loads the app and runs isolated attempts, one at a time, as its worker orders.
import { parentPort } from 'node:worker_threads'
import { load } from './cli/config.ts'
import { putOnLeash } from './engine/isolation/leash.ts'
import type { Boot, Order, Report } from './engine/isolation/messages.ts'
import { LEASH_FD } from './engine/isolation/process-cell.ts'
import { Resident } from './engine/isolation/resident.ts'
import { limitedTasks } from './limited-tasks.ts'
import { runPorts } from './run-ports.ts'
import { Database } from './store/db.ts'

/** A run uses one at a time; a source that reads rows beside its transaction, a second. They are opened when they are needed. */
const CONNECTIONS = 2

let resident: Resident | undefined

if (parentPort === null) {
  putOnLeash(LEASH_FD)
  // Some platforms signal every process. The worker decides what becomes of its runs; its end is the end of this process.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
  process.on('message', hear)
} else parentPort.on('message', hear)

for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    if (resident?.fault(error)) return
    console.error(error)
    process.exit(1)
  })
}

function hear(order: Order): void {
  if (order.kind === 'boot') void start(order.boot)
  else resident?.take(order)
}

async function start({ appFile, url, schema, idleTimeout, keepCompleted, checkpointEvery }: Boot): Promise<void> {
  try {
    const { internals } = await load(appFile)
    const { client } = internals
    // Its worker has said what there is to say of them.
    const tasks = limitedTasks(internals, internals.configure(process.env['HOLDFAST_GRACE']), () => {})
    const db = new Database({ url, schema, connections: CONNECTIONS })
    resident = new Resident({
      db,
      ...runPorts(client, db, idleTimeout),
      keepCompleted,
      checkpointEvery,
      task: (name) => tasks.get(name),
      report,
    })
    report({ kind: 'ready' })
  } catch (error) {
    report({ kind: 'unfit', message: error instanceof Error ? error.message : String(error) })
  }
}

function report(message: Report): void {
  if (parentPort === null) process.send?.(message)
  else if (message.kind === 'ended') void printed().then(() => parentPort?.postMessage(message))
  else parentPort.postMessage(message)
}

/** What a thread prints goes by way of its worker, piece by piece: all of it has left before the run's end is reported. */
async function printed(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.writableLength > 0) await new Promise<void>((resolve) => stream.write('', () => resolve()))
  }
}
