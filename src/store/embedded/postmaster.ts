import { readFile } from 'node:fs/promises'
import path from 'node:path'

/** What a running server says about itself in `postmaster.pid`, the lock file of its data folder. */
export interface Postmaster {
  readonly pid: number
  readonly data: string
  /** Seconds since 1970 at which the server wrote the file. */
  readonly startedAt: number
  /** Not there yet in the first moments of a start. */
  readonly port: number | undefined
  readonly ready: boolean
}

/** Reads `postmaster.pid`; undefined when there is none, or when it holds no process id. */
export async function readPostmaster(data: string): Promise<Postmaster | undefined> {
  const text = await readFile(path.join(data, 'postmaster.pid'), 'utf8').catch(() => '')
  const [pid, folder, startedAt, port, , , , status] = text.split('\n')
  const id = Number(pid)
  if (!Number.isInteger(id) || id <= 0) return undefined
  return {
    pid: id,
    data: folder ?? '',
    startedAt: Number(startedAt) || 0,
    port: Number(port) || undefined,
    ready: status?.trim() === 'ready',
  }
}
