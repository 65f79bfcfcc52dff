import { readFileSync } from 'node:fs'
import path from 'node:path'

/**
 * How often the system's out-of-memory killer has struck in this process's control group, as Linux counts it; undefined: it does not tell.
 * A process that it kills dies by SIGKILL like one that somebody killed by hand: only the count tells them apart. `root`: of the file system.
 */
export function memoryKills(root = '/'): number | undefined {
  for (const file of filesOf(read(path.join(root, 'proc/self/cgroup')) ?? '')) {
    const found = /^oom_kill (\d+)$/m.exec(read(path.join(root, file)) ?? '')
    if (found !== null) return Number(found[1])
  }
  return undefined
}

/** Where the count may be: version 2, version 1; inside a container the path on the host is not there, but the root is its own. */
function filesOf(groups: string): string[] {
  const unified = /^0::(.*)$/m.exec(groups)?.[1]
  const memory = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(groups)?.[1]
  return [
    ...(unified === undefined ? [] : [`/sys/fs/cgroup${unified}/memory.events`, '/sys/fs/cgroup/memory.events']),
    ...(memory === undefined
      ? []
      : [`/sys/fs/cgroup/memory${memory}/memory.oom_control`, '/sys/fs/cgroup/memory/memory.oom_control']),
  ]
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
