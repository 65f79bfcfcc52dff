import pg from 'pg'
import { clientOptions } from './db.ts'

const RECONNECT_FIRST_MS = 200
const RECONNECT_MOST_MS = 10_000
/** A connection that silently died is noticed by the probe that gets no answer. */
const PROBE_EVERY_MS = 30_000

export interface ListenOptions {
  /** A direct connection string: LISTEN does nothing behind a transaction pooler. */
  readonly url: string
  readonly channel: string
  readonly onNotify: (payload: string) => void
  /** After each (re)connect: notifications may have been missed. */
  readonly onConnect?: () => void
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
      await client.query(`listen ${pg.escapeIdentifier(this.#options.channel)}`)
    } catch {
      return this.#reconnect(client)
    }
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
