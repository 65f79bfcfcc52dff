import { isHoldfastError } from '../model/errors.ts'
import { closeClaims, readClaims } from '../store/claims.ts'
import type { Database } from '../store/db.ts'
import { isConnectionTrouble, wasNeverSent } from '../store/db-errors.ts'
import { placeOf } from '../store/place.ts'
import { handBack } from '../store/settles.ts'
import { registerWorker, retireWorker, type WorkerRow } from '../store/workers.ts'
import { taskKeys } from '../tasks/versions.ts'
import type { Lease, LeaseKeeper } from './lease.ts'
import { Ledger } from './ledger.ts'
import { monotonic } from './monotonic.ts'
import type { WorkerOptions } from './worker-options.ts'

/** One life of a worker in the database, from its registration to the loss of its lease. Never reused. */
interface Incarnation {
  readonly ledger: Ledger
  readonly lease: Lease
}

interface IncarnationEvents {
  /** After each renewal; false: this worker must not claim now. */
  readonly onRenewed: (mayClaim: boolean) => void
  /** Once: everything this incarnation holds is, or may be, somebody else's. */
  readonly onLost: (worker: number, why: string) => void
}

/** After a process stood still: for what broke meanwhile to be noticed by its code. */
const STILL_MS = 2_000
const ATTEMPTS = 3

async function register(options: WorkerOptions, keeper: LeaseKeeper, events: IncarnationEvents): Promise<Incarnation> {
  const { db, listenUrl, tasks, queues, lease: ms } = options
  const direct =
    listenUrl === undefined || listenUrl === db.url ? undefined : { url: listenUrl, place: await placeOf(db) }
  await keeper.ready()
  const row = { ...options, tasks: taskKeys(tasks), queues: [...queues.keys()] }
  const { sent, key } = await insert(db, row)
  const lease = keeper.hold({ url: db.url, direct, schema: db.schema, worker: key, lease: ms }, sent, {
    onRenewed: events.onRenewed,
    onLost: (why) => events.onLost(key, why),
  })
  return {
    lease,
    ledger: new Ledger(
      key,
      () => lease.held,
      () => keeper.stillness.within(STILL_MS),
    ),
  }
}

/**
 * The server ends the registration of a process that stands still in the middle of it: nobody is there then, and it begins anew. One whose answer
 * alone was lost leaves a worker that nobody is, until its lease has run out.
 */
async function insert(db: Database, row: WorkerRow): Promise<{ sent: number; key: number }> {
  for (let attempt = 1; ; attempt++) {
    const sent = monotonic()
    try {
      return { sent, key: await registerWorker(db, row) }
    } catch (error) {
      const broke = isHoldfastError(error, 'HF_TX_IDLE') || (isConnectionTrouble(error) && !wasNeverSent(error))
      if (!broke || attempt === ATTEMPTS) throw error
    }
  }
}

/**
 * Compares the ledger in the database with the one in memory. Jobs of a claim whose answer was lost would otherwise be renewed for ever,
 * and never run: they are given back. Resolves with their queues.
 */
export async function reconcile({ db }: Pick<WorkerOptions, 'db'>, ledger: Ledger): Promise<ReadonlySet<string>> {
  const { last } = ledger
  const found = await readClaims(db, ledger.worker, ledger.known())
  // A claim that began since may have been answered before this question was.
  const strangers = found.filter((job) => job.claim <= last)
  if (strangers.length > 0) {
    const writes = strangers.map(({ id, run }) => ({ id, run, interrupted: false, reason: null }))
    await handBack(db, writes, { worker: ledger.worker, claims: [] })
    await closeClaims(db, ledger.worker, [...new Set(strangers.map((job) => job.claim))])
  }
  return new Set(strangers.map((job) => job.queue))
}

export interface LifeEvents {
  /** false: the worker must not claim now. */
  readonly onMayClaim: (may: boolean) => void
  /** Jobs of these queues were given back. */
  readonly onGivenBack: (queues: ReadonlySet<string>) => void
  /** What is in this ledger is, or may be, somebody else's. */
  readonly onLost: (ledger: Ledger) => void
  readonly onReborn: (ledger: Ledger) => void
  readonly onTrouble: (what: string, error: unknown) => void
}

/** A worker's life in the database: one incarnation after the other. */
export class Life {
  readonly #options: WorkerOptions
  readonly #keeper: LeaseKeeper
  readonly #events: LifeEvents
  #incarnation: Incarnation | undefined
  #ending = false

  constructor(options: WorkerOptions, keeper: LeaseKeeper, events: LifeEvents) {
    this.#options = options
    this.#keeper = keeper
    this.#events = events
  }

  get ledger(): Ledger | undefined {
    return this.#incarnation?.ledger
  }

  /** When this one is lost, no other follows. */
  end(): void {
    this.#ending = true
  }

  /** From now on the worker is there: a lease that is lost the next moment is seen to be. */
  async register(): Promise<void> {
    this.#incarnation = await register(this.#options, this.#keeper, {
      onRenewed: (mayClaim) => void this.#renewed(mayClaim),
      onLost: (key, why) => void this.#lost(key, why),
    })
  }

  /** After each renewal: what the database thinks this worker holds, against memory. */
  async #renewed(mayClaim: boolean): Promise<void> {
    this.#events.onMayClaim(mayClaim)
    const { ledger } = this
    if (ledger === undefined) return
    try {
      this.#events.onGivenBack(await reconcile(this.#options, ledger))
    } catch (error) {
      this.#events.onTrouble('comparing the ledger', error)
    }
  }

  async #lost(key: number, why: string): Promise<void> {
    const mine = this.ledger
    if (mine === undefined || mine.worker !== key) return
    const { log } = this.#options
    log('error', `This worker lost its lease: ${why}. What it held may run elsewhere now.`, { worker: key })
    this.#events.onLost(mine)
    for (let pause = 200; !this.#ending; pause = Math.min(pause * 2, 5_000)) {
      try {
        await this.register()
        const { ledger = mine } = this
        // Nobody will use it, and nothing else would take it back before its lease has run out.
        if (this.#ending) return void (await retireWorker(this.#options.db, ledger.worker))
        this.#events.onReborn(ledger)
        log('info', 'This worker goes on as a new incarnation', { worker: ledger.worker })
        return
      } catch (error) {
        this.#events.onTrouble('registering again', error)
        await new Promise((resolve) => setTimeout(resolve, pause))
      }
    }
  }
}
