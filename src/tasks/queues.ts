import { HoldfastError } from '../model/errors.ts'
import { suggestion } from '../model/name.ts'
import { show } from '../model/show.ts'

/** There without being declared; where a task goes that names no queue. */
export const DEFAULT_QUEUE = 'default'

/**
 * The queue, if it is one of those that `holdfast()` was given.
 * @param what names the one who asks, in the message: `task send-receipt`.
 * @throws {HoldfastError} HF_QUEUE_NOT_FOUND.
 */
export function checkQueue(queue: unknown, queues: ReadonlySet<string>, what: string): string {
  if (typeof queue === 'string' && queues.has(queue)) return queue
  const meant = typeof queue === 'string' ? suggestion(queue, queues) : ''
  const declared = [...queues].join(', ')
  throw new HoldfastError(
    'HF_QUEUE_NOT_FOUND',
    `The queue ${show(queue)} of ${what} is not declared.${meant} Declared: ${declared}`,
  )
}
