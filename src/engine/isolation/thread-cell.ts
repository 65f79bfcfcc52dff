import { Worker as Thread } from 'node:worker_threads'
import type { Death } from '../../model/death.ts'
import type { Report } from './messages.ts'
import type { Transport, TransportEvents, TransportOptions } from './transport.ts'

/** A thread of this process: no memory in common but the process's own fate. */
export function openThread({ entry, heapMb }: TransportOptions, events: TransportEvents): Transport {
  const thread = new Thread(entry, {
    stdout: true,
    stderr: true,
    resourceLimits: heapMb === undefined ? {} : { maxOldGenerationSizeMb: heapMb },
  })
  const name = `thread ${thread.threadId}`
  let thrown: { readonly message: string; readonly full: boolean } | undefined
  thread.stdout.setEncoding('utf8').on('data', (text: string) => events.onOutput('stdout', text))
  thread.stderr.setEncoding('utf8').on('data', (text: string) => events.onOutput('stderr', text))
  thread.on('message', (report: Report) => events.onReport(report))
  thread.on('error', (error) => {
    const { message, code } = error as { message?: unknown; code?: unknown }
    thrown = { message: String(message ?? error), full: code === 'ERR_WORKER_OUT_OF_MEMORY' }
  })
  thread.once('exit', (code) => {
    const death: Death = { code, signal: null, oom: thrown?.full ? 'heap' : undefined }
    events.onDeath(thrown === undefined ? death : { ...death, thrown: thrown.message })
  })
  return {
    name,
    send: (order) => thread.postMessage(order),
    stack: async () => undefined,
    kill: () => void thread.terminate(),
  }
}
