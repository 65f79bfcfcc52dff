import type { Database } from '../store/db.ts'
import type { Hold } from '../store/gate.ts'
import { Listener } from '../store/listen.ts'
import { HoldWatch } from './hold-watch.ts'
import { GATE, REQUESTS } from './wake.ts'
import type { WorkerOptions } from './worker-options.ts'

export interface EarsOptions {
  readonly db: Database
  readonly listenUrl: WorkerOptions['listenUrl']
  /** ms */
  readonly pollInterval: number
  /** This worker's key, once it has one. */
  readonly worker: () => number | undefined
  readonly log: WorkerOptions['log']
  /** A queue has ready jobs. */
  readonly onReady: (queue: string) => void
  /** Anything may have been missed. */
  readonly onConnect: () => void
  /** Somebody asked something of a running job. */
  readonly onRequest: () => void
  /** What holds this worker, seen just now; undefined: nothing does. */
  readonly onLook: (hold: Hold | undefined) => void
  /** It has answered to a deploy. */
  readonly onAnswered: () => void
  readonly onTrouble: (what: string, error: unknown) => void
}

const DEAF =
  'Notifications do not arrive: a transaction pooler is in between. This worker polls. ' +
  "Set HOLDFAST_LISTEN_URL to the server's own address, or to `off`."

/** What a worker hears of others: ready jobs, requests, deploys. Hints, all of them. */
export class Ears {
  readonly #options: EarsOptions
  readonly #holds: HoldWatch
  readonly #listener: Listener | undefined

  constructor(options: EarsOptions) {
    const { db, listenUrl, log, pollInterval, onConnect, onTrouble } = options
    this.#options = options
    this.#holds = new HoldWatch({ ...options, onTrouble: (error) => onTrouble('looking for a deploy', error) })
    if (listenUrl === undefined) return
    this.#listener = new Listener({
      db,
      url: listenUrl,
      onNotify: (payload) => this.#hear(payload),
      onConnect: () => {
        this.#holds.hear()
        onConnect()
      },
      onDeaf: () => log('warn', DEAF, { pollInterval }),
    })
  }

  /** A deploy holds this worker, as far as it has heard. */
  get held(): boolean {
    return this.#holds.held
  }

  /** The database says whether this worker may claim: where that is news, there is a deploy to hear of. */
  mayClaim(may: boolean): void {
    if (may === this.held) this.#holds.hear()
  }

  open(): void {
    void this.#listener?.open()
  }

  start(): void {
    this.#holds.start()
  }

  async stop(): Promise<void> {
    await Promise.allSettled([this.#holds.stop(), this.#listener?.close()])
  }

  #hear(payload: string): void {
    if (payload === GATE) this.#holds.hear()
    else if (payload === REQUESTS) this.#options.onRequest()
    else this.#options.onReady(payload)
  }
}
