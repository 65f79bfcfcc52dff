import { Worker as Thread } from 'node:worker_threads'

/** See `leash-thread.ts`: from here on, this process does not outlive the one that started it. */
export function putOnLeash(fd: number): void {
  const file = import.meta.url.endsWith('.ts') ? './leash-thread.ts' : './leash-thread.js'
  new Thread(new URL(file, import.meta.url), { workerData: { fd }, execArgv: [] }).unref()
}
