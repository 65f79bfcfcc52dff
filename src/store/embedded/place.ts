import { readFile, readlink, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../../model/errors.ts'
import { type FileLock, isHeld } from './file-lock.ts'
import type { Home } from './home.ts'
import { takeTurn } from './membership.ts'

/** How long processes elsewhere may take to leave: a keeper looks twice a second. */
const LEAVING = 2_000

/**
 * Takes the turn, unless processes of another container use the data: their server's process id means nothing here, and
 * a second server on the same data would destroy it. A container that is gone holds no locks and is no obstacle. The
 * caller is no member yet.
 *
 * @throws HF_EMBEDDED_BUSY
 */
export async function takeTurnHere(home: Home): Promise<FileLock> {
  const own = await thisPlace()
  const deadline = performance.now() + LEAVING
  while (true) {
    const turn = await takeTurn(home)
    const last = await readFile(home.place, 'utf8').catch(() => '')
    if (last === own) return turn
    if (last === '' || !(isHeld(home.memberLock) || isHeld(home.keeperLock))) {
      await writeFile(home.place, own)
      return turn
    }
    turn.release()
    if (performance.now() > deadline) {
      const [host] = last.split('\n')
      throw new HoldfastError(
        'HF_EMBEDDED_BUSY',
        `${home.folder} is used by another container or machine (${host}), whose server cannot be reached from here`,
      )
    }
    await sleep(100)
  }
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
