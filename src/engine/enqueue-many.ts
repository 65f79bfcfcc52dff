import type { NewJob } from '../store/enqueue.ts'
import { type JobTemplate, newJob } from './new-job.ts'

const BATCH_JOBS = 1_000
const BATCH_BYTES = 2 * 1024 * 1024

/**
 * Streams inputs into batches, each its own statement, `inFlight` of them on their way at the same time. When one fails, the ones
 * before it stand, and the error says how many jobs were created.
 */
export async function enqueueMany(
  template: JobTemplate,
  inputs: Iterable<unknown> | AsyncIterable<unknown>,
  send: (jobs: readonly NewJob[]) => Promise<void>,
  inFlight: number,
): Promise<{ created: number }> {
  const sending = new Set<Promise<void>>()
  let created = 0
  let batch: NewJob[] = []
  let bytes = 0

  const flush = async (): Promise<void> => {
    if (batch.length === 0) return
    const jobs = batch
    batch = []
    bytes = 0
    while (sending.size >= inFlight) await Promise.race(sending)
    const sent: Promise<void> = send(jobs).then(() => {
      created += jobs.length
      sending.delete(sent)
    })
    sent.catch(() => {})
    sending.add(sent)
  }

  try {
    for await (const input of inputs) {
      const job = await newJob(template, input)
      batch.push(job)
      bytes += job.input?.length ?? 0
      if (batch.length === BATCH_JOBS || bytes >= BATCH_BYTES) await flush()
    }
    await flush()
    await Promise.all(sending)
  } catch (error) {
    await Promise.allSettled(sending)
    if (error instanceof Error && !Object.isFrozen(error))
      error.message += ` (${created} jobs were enqueued before this)`
    throw error
  }
  return { created }
}
