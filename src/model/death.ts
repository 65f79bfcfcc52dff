/** How a process (or thread) that ran user code came to its end without being asked to. */
export interface Death {
  /** What it exited with; null: it was ended by a signal. */
  readonly code: number | null
  readonly signal: string | null
  /**
   * `heap`: it ran into its own cap. `system`: the system's out-of-memory killer chose it. `unknown`: it was killed, and this system does not
   * tell whether for want of memory. Undefined: neither.
   */
  readonly oom: 'heap' | 'system' | 'unknown' | undefined
  /** Of a thread: what was thrown in it. */
  readonly thrown?: string
}

/** `killed by SIGSEGV`, `exited with code 3`: what is known, and no guess beyond it. 137 is what platforms call a kill by SIGKILL. */
export function describeDeath({ code, signal, oom, thrown }: Death): string {
  if (oom === 'heap') return 'ran out of memory: its heap was full'
  if (oom === 'system') return 'killed by SIGKILL (exit code 137): the system was out of memory (OOM killer)'
  if (oom === 'unknown') return 'killed by SIGKILL: whether for want of memory is unknown'
  if (signal !== null) return `killed by ${signal}`
  return thrown === undefined ? `exited with code ${code ?? 'unknown'}` : `ended by an error: ${thrown}`
}

/** The same as data, for the trail: what is not known is not there. */
export function factsOfDeath({ code, signal, oom }: Death): { exitCode?: number; signal?: string; oom?: string } {
  return {
    ...(code !== null && { exitCode: code }),
    ...(signal !== null && { signal }),
    ...(oom !== undefined && { oom }),
  }
}

/** Somebody sent it SIGKILL, and not for want of memory as far as can be told: that says nothing about the code that it ran. */
export function wasKilledFromOutside(death: Death): boolean {
  return death.signal === 'SIGKILL' && !ranOutOfMemory(death)
}

export function ranOutOfMemory({ oom }: Death): boolean {
  return oom === 'heap' || oom === 'system'
}
