export type StopSignal = 'SIGTERM' | 'SIGINT'

/**
 * Calls `stop` at the first stop signal. Later ones are counted and change nothing: platforms repeat them (Heroku, a restarted kubelet),
 * and a second one must not turn a hand-off into a loss. Both mean the same: PM2, Fly and Nomad send SIGINT.
 * @returns a function that gives the signals back.
 */
export function onStopSignal(
  stop: (signal: StopSignal) => void,
  again: (signal: StopSignal, count: number) => void,
): () => void {
  let count = 0
  const hear = (signal: StopSignal): void => {
    count++
    if (count === 1) stop(signal)
    else again(signal, count)
  }
  const term = () => hear('SIGTERM')
  const int = () => hear('SIGINT')
  process.on('SIGTERM', term)
  process.on('SIGINT', int)
  return () => {
    process.off('SIGTERM', term)
    process.off('SIGINT', int)
  }
}

/**
 * Calls `quiet` at SIGTSTP or SIGUSR1: claim nothing more, and stay until a stop signal. Neither stops the process, so that SIGCONT, which
 * follows a Ctrl-Z as well as a freeze, changes nothing.
 */
export function onQuietSignal(quiet: (signal: 'SIGTSTP' | 'SIGUSR1') => void): void {
  let heard = false
  for (const signal of ['SIGTSTP', 'SIGUSR1'] as const) {
    process.on(signal, () => {
      if (heard) return
      heard = true
      quiet(signal)
    })
  }
}
