import { readFileSync } from 'node:fs'

/**
 * How many processes the kernel has killed in this control group because its memory was used up. Undefined where the platform does not
 * tell: then nothing is guessed. Version 2 says it in `memory.events`, version 1 in `memory.oom_control` (since Linux 4.13).
 */
export function oomKills(read = readText): number | undefined {
  for (const file of candidates(read('/proc/self/cgroup') ?? '')) {
    const count = /^oom_kill (\d+)$/m.exec(read(file) ?? '')?.[1]
    if (count !== undefined) return Number(count)
  }
  return undefined
}

/** The group as this process sees it, and the mount's root: inside a container that is the same group. */
function candidates(groups: string): string[] {
  const two = /^0::(\/.*)$/m.exec(groups)?.[1]
  const one = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(\/.*)$/m.exec(groups)?.[1]
  const file = (...parts: string[]) => parts.join('/').replace(/\/{2,}/g, '/')
  return [
    ...(two === undefined ? [] : [file('/sys/fs/cgroup', two, 'memory.events'), '/sys/fs/cgroup/memory.events']),
    ...(one === undefined
      ? []
      : [file('/sys/fs/cgroup/memory', one, 'memory.oom_control'), '/sys/fs/cgroup/memory/memory.oom_control']),
  ]
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
