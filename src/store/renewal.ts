import pg from 'pg'
import { clientOptions } from './connect.ts'
import { placeOf } from './place.ts'
import { STATEMENTS } from './sql.gen.ts'
import { inSchema } from './statements.ts'

export interface RenewalOptions {
  readonly url: string
  /** The server itself, where `url` goes through a pooler: preferred, for there the transactions of jobs may hold every connection. */
  readonly direct?: { readonly url: string; readonly place: string } | undefined
  readonly schema: string
  readonly worker: number
  /** ms */
  readonly lease: number
}

export type RenewalAnswer = 'renewed' | 'held' | 'revoked'

/** Renews one worker's lease on a connection of its own, which is replaced after any error. Every wait is shorter than the lease. */
export class Renewal {
  readonly #options: RenewalOptions
  readonly #text: string
  #client: pg.Client | undefined
  #preferDirect = true

  constructor(options: RenewalOptions) {
    this.#options = options
    this.#text = inSchema(STATEMENTS.renew, options.schema)
  }

  /** `'held'`: renewed, but the worker may not claim now. Throws when the database does not answer. */
  async renew(): Promise<RenewalAnswer> {
    try {
      const client = await this.#connection()
      const { rows } = await client.query<{ claiming: boolean }>(this.#text, [
        this.#options.worker,
        this.#options.lease,
      ])
      const [row] = rows
      if (row === undefined) return 'revoked'
      return row.claiming ? 'renewed' : 'held'
    } catch (error) {
      // The other address may work where this one does not: a lease is too much to lose over a firewall, or a pooler that restarts.
      this.#preferDirect = !this.#preferDirect
      await this.close()
      throw error
    }
  }

  async close(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await client?.end().catch(() => {})
  }

  async #connection(): Promise<pg.Client> {
    if (this.#client) return this.#client
    const patience = Math.max(500, this.#options.lease / 3)
    const direct = this.#preferDirect ? this.#options.direct : undefined
    const options = clientOptions(direct?.url ?? this.#options.url, patience)
    const client = new pg.Client({ ...options, connectionTimeoutMillis: patience })
    client.on('error', () => {
      if (this.#client === client) this.#client = undefined
    })
    await client.connect()
    this.#client = client
    // Renewing in another database would keep somebody else's worker alive, and lose this one.
    if (direct !== undefined && (await placeOf(client)) !== direct.place) throw new Error('another database answers')
    return client
  }
}
