import pg from 'pg'
import { clientOptions } from './connect.ts'
import type { Database } from './db.ts'
import { notificationsArrive } from './health.ts'

const RECONNECT_FIRST_MS = 200
const RECONNECT_MOST_MS = 10_000
/** A connection that silently died is noticed by the probe that gets no answer. */
const PROBE_EVERY_MS = 30_000
/** How long the first notification may take where something stands between us and the server. */
const ARRIVE_WITHIN_MS = 2_000

export interface ListenOptions {
  /** Whose wake-ups to listen for. */
  readonly db: Database
  /** A direct connection string: LISTEN does nothing behind a transaction pooler. */
  readonly url: string
  readonly onNotify: (payload: string) => void
  /** After each (re)connect: notifications may have been missed. */
  readonly onConnect?: () => void
  /** Once: nothing will ever be heard at this address, so listening was given up. */
  readonly onDeaf?: () => void
}

/**
 * Listens for wake-ups, and reconnects for ever with growing pauses. Notifications are hints: nothing depends on them, so errors here
 * are not reported, polling carries on.
 */
export class Listener {
  readonly #options: ListenOptions
  #client: pg.Client | undefined
  #timer: NodeJS.Timeout | undefined
  #pause = RECONNECT_FIRST_MS
  #closed = false
  connected = false

  constructor(options: ListenOptions) {
    this.#options = options
  }

  async open(): Promise<void> {
    if (this.#closed) return
    const client = new pg.Client(clientOptions(this.#options.url, PROBE_EVERY_MS))
    this.#client = client
    client.on('error', () => this.#reconnect(client))
    client.on('end', () => this.#reconnect(client))
    client.on('notification', (message) => this.#options.onNotify(message.payload ?? ''))
    try {
      await client.connect()
      if (!(await this.#hears(client))) {
        await this.close()
        return this.#options.onDeaf?.()
      }
      await client.query(`listen ${pg.escapeIdentifier(this.#options.db.channel)}`)
    } catch {
      return this.#reconnect(client)
    }
    if (this.#closed) return
    this.connected = true
    this.#pause = RECONNECT_FIRST_MS
    this.#options.onConnect?.()
    this.#probe(client)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.connected = false
    clearTimeout(this.#timer)
    await this.#client?.end().catch(() => {})
  }

  /**
   * A pooler that shares sessions takes a LISTEN, and leaves it in one that others use, who are told then. So where the session is not
   * the server's own, one notification is tried out first.
   */
  async #hears(client: pg.Client): Promise<boolean> {
    const { db, url } = this.#options
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
    if (rows[0]?.pid === (client as unknown as { processID: number }).processID) return true
    return notificationsArrive(db, url, ARRIVE_WITHIN_MS)
  }

  #probe(client: pg.Client): void {
    if (this.#closed || client !== this.#client) return
    this.#timer = setTimeout(() => {
      client.query('select 1').then(
        () => this.#probe(client),
        () => this.#reconnect(client),
      )
    }, PROBE_EVERY_MS)
    this.#timer.unref()
  }

  #reconnect(client: pg.Client): void {
    if (this.#closed || client !== this.#client) return
    this.#client = undefined
    this.connected = false
    clearTimeout(this.#timer)
    client.end().catch(() => {})
    this.#timer = setTimeout(() => void this.open(), this.#pause * (0.5 + Math.random()))
    this.#timer.unref()
    this.#pause = Math.min(this.#pause * 2, RECONNECT_MOST_MS)
  }
}
