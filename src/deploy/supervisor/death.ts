/** How a process ended, as its parent saw it. */
export interface Death {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The kernel killed it because memory was used up; undefined: this platform does not tell. */
  readonly oom: boolean | undefined
  /** ms that it lived. */
  readonly life: number
}

/** What is kept of it with each job that it held. */
export interface CauseOfDeath {
  readonly name: 'Crashed' | 'Killed' | 'OutOfMemory' | 'Exited'
  readonly message: string
  readonly exitCode?: number
  readonly signal?: string
  readonly oom?: boolean | 'unknown'
}

/** Node's own signal names by what they say of the process. */
const NATIVE = new Set<string>(['SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP', 'SIGSYS'])
/** A shell and a container runtime report a death by SIGKILL as this exit code. */
const KILLED = 137

/** The cause in words, never guessed: where the platform does not tell whether memory was used up, it says `unknown`. */
export function causeOf({ code, signal, oom }: Death): CauseOfDeath {
  if (signal === 'SIGKILL' || code === KILLED) {
    const killed = { exitCode: KILLED, signal: 'SIGKILL' }
    if (oom === true) return { name: 'OutOfMemory', message: 'the kernel killed it: out of memory', ...killed, oom }
    return { name: 'Killed', message: 'it was killed from outside (SIGKILL)', ...killed, oom: oom ?? 'unknown' }
  }
  if (signal === 'SIGABRT')
    return { name: 'Crashed', message: 'it aborted itself (SIGABRT), as node does when its heap is full', signal }
  if (signal !== null) {
    const how = NATIVE.has(signal) ? 'it crashed in native code' : 'a signal ended it'
    return { name: NATIVE.has(signal) ? 'Crashed' : 'Killed', message: `${how} (${signal})`, signal }
  }
  const exitCode = code ?? 0
  return { name: 'Exited', message: `it left in the middle of its work, with exit code ${exitCode}`, exitCode }
}
