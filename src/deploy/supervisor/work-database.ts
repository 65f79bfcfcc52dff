import { within } from '../../engine/within.ts'
import { isHoldfastError } from '../../model/errors.ts'
import { Database } from '../../store/db.ts'
import { requireSchema } from '../../store/migrate.ts'
import { RELEASE_MOST_MS, RELEASE_MS } from './aftermath.ts'
import type { ChildStarted } from './messages.ts'

/** Two for deaths at the same time, and one that only asks how the database is. */
const CONNECTIONS = 3
const SILENT = 'the database gives no answer'

/** The supervisor's connections to the database of its worker processes. They tell where that is: it has no config of its own. */
export class WorkDatabase {
  #db: Database | undefined
  #asked: Promise<string | undefined> | undefined

  /** Undefined: no process has begun to work. */
  get db(): Database | undefined {
    return this.#db
  }

  use({ url, schema }: ChildStarted): void {
    // An embedded server that came back may be at another address.
    if (this.#db?.url !== url) {
      const old = this.#db
      // A release may still be on its way to it.
      if (old !== undefined) setTimeout(() => void old.close().catch(() => {}), RELEASE_MOST_MS).unref()
      this.#db = new Database({ url, schema, connections: CONNECTIONS, statementTimeout: RELEASE_MS })
    }
    // Connected before it is needed: when a process dies, each millisecond counts.
    void this.trouble(RELEASE_MS)
  }

  /** Why nobody could work on it now, as far as can be told within `ms`; undefined: everybody could. */
  async trouble(ms: number): Promise<string | undefined> {
    const db = this.#db
    if (db === undefined) return 'no worker process has begun to work'
    // One question at a time: a server that gives no answer must not take the connections away from a release.
    this.#asked ??= troubleOf(db).finally(() => {
      this.#asked = undefined
    })
    const answer = this.#asked.then((trouble) => ({ trouble }))
    return ((await within(answer, ms)) ?? { trouble: SILENT }).trouble
  }

  close(): void {
    void this.#db?.close().catch(() => {})
  }
}

async function troubleOf(db: Database): Promise<string | undefined> {
  try {
    await requireSchema(db)
    return undefined
  } catch (error) {
    return isHoldfastError(error) && error.code !== 'HF_DATABASE_DOWN' ? error.message : SILENT
  }
}
