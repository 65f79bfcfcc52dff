import { execFile } from 'node:child_process'
import { readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { errorCode } from './failure.ts'

/** What a server says about itself in `postmaster.pid`, the lock file of its data folder. */
export interface Postmaster {
  readonly pid: number
  /** Not there yet in the first moments of a start. */
  readonly port: number | undefined
  /** It accepts connections. */
  readonly ready: boolean
}

/** Reads `postmaster.pid`; undefined when there is none. It stays behind when a server is killed. */
export async function readPostmaster(data: string): Promise<Postmaster | undefined> {
  const text = await readFile(lockFile(data), 'utf8').catch(() => '')
  const [pid, , , port, , , , status] = text.split('\n')
  const id = Number(pid)
  if (!Number.isInteger(id) || id <= 0) return undefined
  return { pid: id, port: Number(port) || undefined, ready: status?.trim() === 'ready' }
}

/** The server that really runs in the data folder, whatever the file says. */
export async function runningPostmaster(data: string): Promise<Postmaster | undefined> {
  const written = await readPostmaster(data)
  return written !== undefined && (await isPostmasterOf(data, written.pid)) ? written : undefined
}

/**
 * Whether a process is the server of this data folder. Process ids are used again, by anybody, after a crash or in the
 * next container: nothing is signalled or adopted on the word of a number alone.
 */
export async function isPostmasterOf(data: string, pid: number): Promise<boolean> {
  if (pid === process.pid || !isAlive(pid)) return false
  if (process.platform === 'linux') return linuxPostmaster(data, pid)
  const command = await promisify(execFile)('ps', ['-p', String(pid), '-o', 'command=']).catch(() => undefined)
  return command?.stdout.includes(data) ?? false
}

/** A server's working folder is its data folder, also after somebody renamed it; a zombie has none. */
async function linuxPostmaster(data: string, pid: number): Promise<boolean> {
  try {
    const [own, theirs] = await Promise.all([stat(data), stat(`/proc/${pid}/cwd/`)])
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8')
    return own.dev === theirs.dev && own.ino === theirs.ino && /postgres/.test(command)
  } catch {
    return false
  }
}

/**
 * PostgreSQL refuses to start while the id in its lock file belongs to any living process. Where that process is a
 * stranger, the id is replaced by one that nobody has. The rest of the file stays: from it the server finds out whether
 * sessions of its predecessor still hold its memory.
 */
export async function disownReusedPid(data: string): Promise<void> {
  const written = await readPostmaster(data)
  if (written === undefined || !isAlive(written.pid) || (await isPostmasterOf(data, written.pid))) return
  const text = await readFile(lockFile(data), 'utf8')
  await writeFile(lockFile(data), text.replace(/^\d+/, String(NOBODY)))
}

/** Above the largest process id of any system. */
const NOBODY = 2 ** 31 - 1

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}

function lockFile(data: string): string {
  return path.join(data, 'postmaster.pid')
}
