import type { InterruptReason } from './outcome.ts'

const WHY: Record<InterruptReason, string> = {
  deploy: 'its worker is being replaced',
  'scale-in': 'its worker is being removed',
  drain: 'its worker is being drained',
  limit: 'its time limit has passed',
  stall: 'it has made no progress for too long',
  fault: 'something that it had started threw an error that nobody caught',
  replace: 'its worker is being replaced, because of another job',
  cancel: 'the job was cancelled',
  pause: 'the job was paused',
  'lease-lost': 'its worker lost its lease, and another worker may run the job now',
}

/** What the `signal` of a run aborts with. An Error, because `fetch` and others throw the reason as it is. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly reason: InterruptReason

  constructor(reason: InterruptReason) {
    super(`This run must end: ${WHY[reason]}`)
    this.reason = reason
  }
}
