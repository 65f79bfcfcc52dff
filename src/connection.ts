import { Enqueuer } from './engine/enqueue.ts'
import { HoldfastError } from './model/errors.ts'
import { RELEASE } from './release.ts'
import { Database } from './store/db.ts'
import { migrate } from './store/migrate.ts'

export interface ConnectionOptions {
  readonly database: string | undefined
  readonly schema: string
}

export interface Opened {
  readonly db: Database
  readonly enqueuer: Enqueuer
}

/** A client's database: opened at the first use, embedded when none was named, closed once. */
export class Connection {
  readonly #options: ConnectionOptions
  #opened: Promise<Opened> | undefined
  #release: (() => Promise<void>) | undefined
  #closed = false

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  /** Whether the database is one of the project's own. */
  get embedded(): boolean {
    return this.#options.database === undefined
  }

  /** @throws {HoldfastError} HF_NO_DATABASE, HF_CLOSED, HF_EMBEDDED_… */
  open(): Promise<Opened> {
    if (this.#closed) throw new HoldfastError('HF_CLOSED', 'This client was closed.')
    this.#opened ??= this.#open().catch((error: unknown) => {
      // The next use tries again: a server that was down, a missing package that was installed.
      this.#opened = undefined
      throw error
    })
    return this.#opened
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const opened = await this.#opened?.catch(() => undefined)
    await opened?.enqueuer.close()
    await opened?.db.close()
    await this.#release?.()
  }

  async #open(): Promise<Opened> {
    const { schema } = this.#options
    const url = this.#options.database
    const db = new Database({ url: url ?? (await this.#embedded()), schema })
    // A named database is migrated by `holdfast migrate` or a worker; the project's own one has nobody else to do it.
    if (url === undefined) await migrate(db, RELEASE)
    return { db, enqueuer: new Enqueuer(db) }
  }

  async #embedded(): Promise<string> {
    if (process.env['NODE_ENV'] === 'production') {
      throw new HoldfastError('HF_NO_DATABASE', 'holdfast() was given no `database`, and NODE_ENV is production.')
    }
    const { openEmbedded } = await import('./store/embedded/embedded.ts')
    const server = await openEmbedded({ folder: process.env['HOLDFAST_PROJECT'] ?? process.cwd() })
    this.#release = server.release
    return server.url
  }
}
