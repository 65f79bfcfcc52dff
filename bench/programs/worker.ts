/** One worker process of any system: counts what it runs, and leaves when told to. */
import { now } from '../support/clock.ts'
import { answer, config, say } from '../support/inside.ts'
import { systemOf } from '../systems/all.ts'
import type { WorkSettings } from '../systems/system.ts'

const { system, url, settings, latencies } = config<{
  system: string
  url: string
  settings: WorkSettings
  /** Remember when each job started, by the time at which it was sent. */
  latencies?: boolean
}>()

let jobs = 0
let waits: number[] = []
const count = () => {
  jobs++
}
const time = (payload: { sentAt: number }) => {
  jobs++
  waits.push(now() - payload.sentAt)
}
const worker = await systemOf(system).work(url, settings, latencies ? time : count)

answer({
  sample: () => {
    const { user, system: kernel } = process.cpuUsage()
    say('sample', { jobs, at: now(), cpu: (user + kernel) / 1000, rss: process.memoryUsage.rss() })
  },
  waits: () => {
    say('waits', { waits })
    waits = []
  },
  gc: async () => {
    // A second round, after a turn of the loop, takes what the first one only finalised.
    for (let round = 0; round < 3; round++) {
      // The last resort also gives free pages back: what stays is what the process needs.
      globalThis.gc?.({ execution: 'sync', type: 'major', flavor: 'last-resort' })
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    say('gc', { jobs, rss: process.memoryUsage.rss(), heap: process.memoryUsage().heapUsed })
  },
  stop: async () => {
    await worker.stop()
    say('stop', { jobs })
    process.disconnect?.()
    process.exit(0)
  },
})
say('ready', { at: now() })
