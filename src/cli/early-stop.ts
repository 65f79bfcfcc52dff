import { onStopSignal } from '../deploy/signals.ts'
import type { SupervisorMessage } from '../deploy/supervisor/messages.ts'

let release = (): void => {}

/** Until a worker listens for itself: what is told to stop while it still loads has nothing to hand off. */
export function leaveAtOnce(): void {
  const hear = (message: SupervisorMessage): void => {
    if (message.kind === 'stop') process.exit(0)
  }
  const orphaned = (): void => process.exit(0)
  const releaseSignals = onStopSignal(
    () => process.exit(0),
    () => {},
  )
  process.on('message', hear)
  process.on('disconnect', orphaned)
  release = () => {
    releaseSignals()
    process.off('message', hear)
    process.off('disconnect', orphaned)
  }
}

/** From here on, the worker hears the signals. */
export function stayToHandOff(): void {
  release()
}
