import path from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../../model/errors.ts'
import { folderFailure } from './failure.ts'

/**
 * A lock between processes that the kernel takes back when its holder dies, whatever way it dies. Node offers none by
 * itself; the SQLite that is built into it does, as the file lock of a transaction on an empty file (fcntl).
 * So no process ids are compared, and none can be mistaken for another.
 *
 * The file must never be opened and closed by other means in the same process: that would drop the lock.
 */
export class FileLock implements Disposable {
  readonly #database: DatabaseSync

  private constructor(database: DatabaseSync) {
    this.#database = database
  }

  /** Holds the lock beside other shared holders; undefined while somebody holds it exclusively. */
  static shared(file: string): FileLock | undefined {
    return FileLock.#take(file, (database) => {
      database.exec('begin')
      database.prepare('select count(*) from sqlite_schema').get()
    })
  }

  /** Holds the lock alone; undefined while anybody else holds it. */
  static exclusive(file: string): FileLock | undefined {
    return FileLock.#take(file, (database) => database.exec('begin exclusive'))
  }

  static #take(file: string, lock: (database: DatabaseSync) => void): FileLock | undefined {
    const database = openFile(file)
    try {
      // On an empty file even a lock begins a journal, which then would be a file.
      database.exec('pragma journal_mode = memory')
      lock(database)
      return new FileLock(database)
    } catch (error) {
      database.close()
      if (isBusy(error)) return undefined
      throw folderFailure(path.dirname(file), error)
    }
  }

  release(): void {
    if (this.#database.isOpen) this.#database.close()
  }

  [Symbol.dispose](): void {
    this.release()
  }
}

/**
 * Waits for a lock.
 *
 * @throws HF_EMBEDDED_BUSY when it is still taken after `timeout` milliseconds
 */
export async function waitForLock(take: () => FileLock | undefined, file: string, timeout: number): Promise<FileLock> {
  const deadline = performance.now() + timeout
  while (true) {
    const lock = take()
    if (lock !== undefined) return lock
    if (performance.now() > deadline) {
      throw new HoldfastError(
        'HF_EMBEDDED_BUSY',
        `Another process has been starting or stopping the embedded PostgreSQL for ${timeout / 1_000} s (${file})`,
      )
    }
    await sleep(5 + Math.random() * 15)
  }
}

/** Whether anybody holds the lock. It is taken for a moment to find out. */
export function isHeld(file: string): boolean {
  using taken = FileLock.exclusive(file)
  return taken === undefined
}

const SQLITE_BUSY = 5

function openFile(file: string): DatabaseSync {
  const { DatabaseSync } = sqlite()
  try {
    return new DatabaseSync(file, { timeout: 0 })
  } catch (error) {
    throw folderFailure(path.dirname(file), error)
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && Number(error.errcode) % 256 === SQLITE_BUSY
}

let loaded: typeof import('node:sqlite') | undefined

/** Node 22 prints a warning when the module is loaded. It is about the SQL interface, of which nothing is used here. */
function sqlite(): typeof import('node:sqlite') {
  if (loaded !== undefined) return loaded
  const print = process.emitWarning.bind(process)
  try {
    process.emitWarning = () => {}
    loaded = process.getBuiltinModule('node:sqlite')
  } finally {
    process.emitWarning = print
  }
  if (loaded !== undefined) return loaded
  throw new HoldfastError('HF_EMBEDDED_START', `This Node.js (${process.version}) was built without node:sqlite`)
}
