import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { until } from './until.ts'

/** A control group of its own, in which the system kills for want of memory. */
export interface MemoryGroup extends AsyncDisposable {
  /** Put in front of a command, it runs in the group with all its children. */
  readonly launcher: readonly string[]
  /** How often the system's out-of-memory killer has struck in it. */
  kills(): number
}

const ROOT = '/sys/fs/cgroup'
const ENTER = 'echo $$ > "$0/cgroup.procs" && exec "$@"'

/** Where this machine lets somebody make such groups, or why it does not. */
export const PLACE = place()

export function openMemoryGroup(bytes: number): MemoryGroup {
  if (typeof PLACE === 'string') throw new Error(PLACE)
  const folder = path.join(PLACE.folder, `holdfast-test-${process.pid}-${Date.now()}`)
  mkdirSync(folder)
  writeFileSync(path.join(folder, PLACE.limit), String(bytes))
  const counter = path.join(folder, PLACE.events)
  return {
    launcher: ['/bin/sh', '-c', ENTER, folder],
    kills: () => Number(/^oom_kill (\d+)$/m.exec(readFileSync(counter, 'utf8'))?.[1] ?? Number.NaN),
    async [Symbol.asyncDispose]() {
      const isEmpty = () => readFileSync(path.join(folder, 'cgroup.procs'), 'utf8') === ''
      await until(isEmpty, { what: 'nobody is left in the control group' })
      rmdirSync(folder)
    },
  }
}

function place(): { folder: string; limit: string; events: string } | string {
  if (process.platform !== 'linux') return `${process.platform} has no control groups`
  const second = existsSync(`${ROOT}/cgroup.controllers`)
  const folder = second ? ROOT : `${ROOT}/memory`
  if (second && !readFileSync(`${ROOT}/cgroup.subtree_control`, 'utf8').includes('memory'))
    return `${ROOT} does not hand its memory controller on`
  if (!second && !existsSync(`${folder}/memory.limit_in_bytes`)) return `there is no memory controller in ${folder}`
  try {
    accessSync(folder, constants.W_OK)
    const probe = path.join(folder, `holdfast-probe-${process.pid}`)
    mkdirSync(probe)
    rmdirSync(probe)
  } catch (error) {
    return `no control group can be made in ${folder}: ${error instanceof Error ? error.message : String(error)}`
  }
  return second
    ? { folder, limit: 'memory.max', events: 'memory.events' }
    : { folder, limit: 'memory.limit_in_bytes', events: 'memory.oom_control' }
}
