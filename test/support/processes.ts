/** Whether there is such a process. One that is dead and not collected counts. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Sends it a signal, if there still is such a process. */
export function kill(pid: number, signal: NodeJS.Signals): void {
  if (isRunning(pid)) process.kill(pid, signal)
}

/** Sends a signal to a process that must be there, or with a negative id to its group. No id, or 0, would be the group of the tests themselves. */
export function strike(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined || !Number.isInteger(pid) || Math.abs(pid) < 2)
    throw new Error(`No process to send ${signal} to: ${pid}`)
  process.kill(pid, signal)
}
