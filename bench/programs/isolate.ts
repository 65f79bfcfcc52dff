/** One worker with isolated tasks, its cells warm; enqueues what it is asked to. */
import { fileURLToPath } from 'node:url'
import { startWork } from '../../src/worker.ts'
import { answer, config, say } from '../support/inside.ts'
import { quiet } from '../systems/holdfast.ts'

const { url, slots } = config<{ url: string; slots: number }>()
process.env['BENCH_DATABASE'] = url
process.env['BENCH_SLOTS'] = String(slots)
const { default: app, jobs, tasks } = await import('./isolate-app.ts')
const appFile = fileURLToPath(new URL('./isolate-app.ts', import.meta.url))
const worker = await startWork(app, { appFile, log: quiet })

answer({
  enqueue: async ({ task, count }) => {
    await jobs.enqueueMany(tasks[task as keyof typeof tasks], Array.from({ length: Number(count) }))
    say('enqueue')
  },
  stop: async () => {
    await worker.shutdown()
    await jobs.close()
    say('stop')
    process.disconnect?.()
    process.exit(0)
  },
})
say('ready')
