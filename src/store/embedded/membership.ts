import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { FileLock, waitForLock } from './file-lock.ts'
import { type Home, removeHome } from './home.ts'
import { runningPostmaster } from './postmaster.ts'
import { stopServer } from './server.ts'

/** Longer than the longest start or stop. */
const TURN_TIMEOUT = 180_000

/** The right to start or stop the server: one process at a time. */
export function takeTurn(home: Home, timeout: number = TURN_TIMEOUT): Promise<FileLock> {
  return waitForLock(() => FileLock.exclusive(home.turnLock), home.turnLock, timeout)
}

/** Counts the caller as a user of the server until it lets go, or dies. The caller has the turn. */
export function join(home: Home): Promise<FileLock> {
  return waitForLock(() => FileLock.shared(home.memberLock), home.memberLock, TURN_TIMEOUT)
}

/** Stops the server if nobody uses it any more, and says whether it is gone. The caller has the turn. */
export async function stopIfUnused(home: Home, temporary: boolean): Promise<boolean> {
  using unused = FileLock.exclusive(home.memberLock)
  if (unused === undefined) return false
  for (const data of await dataFolders(home)) if (!(await stopServer(data))) return false
  if (temporary) await removeHome(home)
  return true
}

export async function isServing(home: Home): Promise<boolean> {
  for (const data of await dataFolders(home)) if (await runningPostmaster(data)) return true
  return false
}

export async function hasData(home: Home): Promise<boolean> {
  return (await dataFolders(home)).length > 0
}

async function dataFolders(home: Home): Promise<string[]> {
  const names = await readdir(home.root)
  return names.filter((name) => /^\d+$/.test(name)).map((name) => path.join(home.root, name))
}
