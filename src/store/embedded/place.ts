import { readFile, readlink, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { HoldfastError } from '../../model/errors.ts'
import { FileLock } from './file-lock.ts'
import type { Home } from './home.ts'

/**
 * Refuses to touch the data while processes of another container use it: their server's process id means nothing here,
 * and a second server on the same data would destroy it. A container that is gone holds no locks and is no obstacle.
 * The caller has the turn and is no member yet.
 *
 * @throws HF_EMBEDDED_BUSY
 */
export async function claimPlace(home: Home): Promise<void> {
  const own = await thisPlace()
  const last = await readFile(home.place, 'utf8').catch(() => own)
  if (last !== own && (isHeld(home.memberLock) || isHeld(home.keeperLock))) {
    const [host] = last.split('\n')
    throw new HoldfastError(
      'HF_EMBEDDED_BUSY',
      `${home.folder} is in use by a process in another container or machine (${host}), which cannot be reached from here`,
    )
  }
  await writeFile(home.place, own)
}

export function isHeld(lock: string): boolean {
  using taken = FileLock.exclusive(lock)
  return taken === undefined
}

/** Processes share a server if they see the same process ids and the same loopback, in one run of the machine. */
async function thisPlace(): Promise<string> {
  const parts = await Promise.all([
    readlink('/proc/self/ns/pid').catch(() => ''),
    readlink('/proc/self/ns/net').catch(() => ''),
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => ''),
  ])
  return [hostname(), ...parts.map((part) => part.trim())].join('\n')
}
