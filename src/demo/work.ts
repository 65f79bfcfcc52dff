// A worker process of the demo: runs the app whose file is its argument until a stop signal comes.
import { pathToFileURL } from 'node:url'
import { onStopSignal } from '../deploy/signals.ts'
import { startWork } from '../worker.ts'

const file = process.argv[2]
if (file === undefined) throw new Error('The file of the app is missing')
const { default: app } = (await import(pathToFileURL(file).href)) as { default: unknown }
const worker = await startWork(app)
const leave = async () => {
  await worker.shutdown()
  process.exit(0)
}
onStopSignal(
  () => void leave(),
  () => {},
)
// Whoever started it is gone: nobody would ever stop it.
process.on('disconnect', () => process.exit(1))
process.stdout.write('{"level":"info","msg":"ready"}\n')
