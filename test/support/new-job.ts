import type { NewJob } from '../../src/store/enqueue.ts'

/** A plain job of the task `common` in the queue `mine`, but for what is said. */
export function newJob(more: Partial<NewJob> = {}): NewJob {
  const id = crypto.randomUUID()
  const plain = { queue: 'mine', task: 'common', version: 1, priority: 5, input: null, expires: null, after: null }
  return { id, ...plain, ...more }
}
