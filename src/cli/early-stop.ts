import { onStopSignal } from '../deploy/signals.ts'

let release = (): void => {}

/** Until a worker listens for itself: what is told to stop while it still loads has nothing to hand off. */
export function leaveAtOnce(): void {
  release = onStopSignal(
    () => process.exit(0),
    () => {},
  )
}

/** From here on, the worker hears the signals. */
export function stayToHandOff(): void {
  release()
}
