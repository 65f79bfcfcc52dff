import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { FileLock, isHeld } from './file-lock.ts'
import type { Home } from './home.ts'
import { ensureServer } from './launcher.ts'
import { hasData, isServing, stopIfUnused, takeTurn } from './membership.ts'
import { trimLog } from './server.ts'

const POLL = 500
const MOST_FAILURES = 3

/**
 * Starts the keeper, unless there is one: a small process that outlives its starter. It stops the server when no member
 * is left, also when the members were killed, and starts it again when it was killed and members are left.
 */
export async function spawnKeeper(home: Home, temporary: boolean): Promise<void> {
  if (isHeld(home.keeperLock)) return
  const log = await open(home.log, 'a', 0o600)
  try {
    const program = `import { keep } from ${JSON.stringify(import.meta.url)}
await keep(${JSON.stringify(home)}, ${temporary})`
    const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '--eval', program], {
      detached: true,
      stdio: ['ignore', 'ignore', log.fd],
      env: {},
      cwd: '/',
    })
    // Without a keeper the last member to leave still stops the server.
    child.on('error', () => {})
    child.unref()
  } finally {
    await log.close()
  }
}

/**
 * The life of the keeper.
 *
 * @public called by the program that `spawnKeeper` writes
 */
export async function keep(home: Home, temporary: boolean): Promise<void> {
  const only = await takeOffice(home)
  if (only === undefined) return

  let failures = 0
  while (true) {
    await sleep(POLL)
    if (!existsSync(home.root)) return
    if (isHeld(home.memberLock)) {
      if (failures < MOST_FAILURES) failures = (await restartIfDead(home)) ? 0 : failures + 1
      await trimLog(home.log)
      continue
    }
    using _turn = await takeTurn(home)
    if (!(await stopIfUnused(home, temporary))) continue
    // Inside the turn: whoever comes next must see that there is no keeper, and start one.
    only.release()
    return
  }
}

/** Others look whether the lock is free by taking it for a moment, so one refusal does not mean that there is a keeper. */
async function takeOffice(home: Home): Promise<FileLock | undefined> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const lock = FileLock.exclusive(home.keeperLock)
    if (lock !== undefined) return lock
    await sleep(20)
  }
  return undefined
}

/** Whether the server runs, at last. */
async function restartIfDead(home: Home): Promise<boolean> {
  if (await isServing(home)) return true
  try {
    using _turn = await takeTurn(home)
    // A first start may have failed before there was any data, and its process is about to leave.
    if (isHeld(home.memberLock) && (await hasData(home))) await ensureServer(home)
    return true
  } catch (error) {
    console.error(error)
    return false
  }
}
