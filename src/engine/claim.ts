import { nameArray } from '../store/arrays.ts'
import { type Claimed, claim } from '../store/claims.ts'
import type { Database } from '../store/db.ts'
import { type Floor, type Mark, readFloor } from '../store/upkeep.ts'
import type { Ledger } from './ledger.ts'
import { Marks } from './marks.ts'
import { monotonic } from './monotonic.ts'

/** Claims of one to three jobs collapse the throughput (50,000 jobs/s became 4,000): wait this long for more slots to come free. */
const LINGER_MS = 2
const MOST = 500
/** A claim that took so long and found nothing has read many rows in vain: jobs that this worker does not take, or dead ones. */
const VAIN_MS = 5

export interface ClaimerOptions {
  readonly db: Database
  /** Names and versions, as `taskKeys` writes them. */
  readonly takes: readonly string[]
  /** The queues to claim from, each with its own limit. */
  readonly queues: ReadonlyMap<string, number>
  readonly concurrency: number
  readonly pollInterval: number
  readonly marks: readonly Mark[]
  /** Runs that have ended and are not written yet: they bound what may be claimed. */
  readonly unsettled: () => number
  readonly onClaimed: (jobs: readonly Claimed[], ledger: Ledger) => void
  /** The answer of a claim was lost, or refused. */
  readonly onTrouble: (error: unknown) => void
}

interface Lane {
  readonly queue: string
  readonly limit: number
  readonly marks: Marks
  running: number
  claiming: boolean
  /** It may have ready jobs. */
  due: boolean
  /** Something said so while a claim was on its way. */
  dueAgain: boolean
  /** Known before its next claim, after one in vain: if that finds nothing either, nothing is at or below it. */
  floor: Floor | undefined
}

/** Turns free slots into claimed jobs: never more than there are slots, in few and large statements, queue by queue. */
export class Claimer {
  readonly #options: ClaimerOptions
  readonly #tasks: string
  readonly #lanes: Lane[]
  readonly #byQueue: ReadonlyMap<string, Lane>
  #ledger: Ledger
  #running = 0
  #reserved = 0
  #turn = 0
  #held = false
  #stopped = false
  #poll: NodeJS.Timeout | undefined
  #linger: NodeJS.Timeout | undefined
  #landed: (() => void)[] = []

  constructor(options: ClaimerOptions, ledger: Ledger) {
    this.#options = options
    this.#ledger = ledger
    this.#tasks = nameArray(options.takes)
    this.#lanes = [...options.queues].map(([queue, limit]) => ({
      queue,
      limit,
      marks: new Marks(queue, options.marks),
      running: 0,
      claiming: false,
      due: true,
      dueAgain: false,
      floor: undefined,
    }))
    this.#byQueue = new Map(this.#lanes.map((lane) => [lane.queue, lane]))
  }

  get free(): number {
    return this.#options.concurrency - this.#running - this.#reserved
  }

  /** Whether a job of this queue that is ready now would have to wait for a slot of this worker. */
  isFull(queue: string): boolean {
    const lane = this.#byQueue.get(queue)
    return this.#running >= this.#options.concurrency || (lane !== undefined && lane.running >= lane.limit)
  }

  start(): void {
    this.#schedulePoll()
    this.#pump()
  }

  /** A new incarnation of this worker claims from now on. */
  use(ledger: Ledger): void {
    this.#ledger = ledger
    this.wakeAll()
  }

  /** A hint that a queue has ready jobs. */
  wake(queue: string): void {
    const lane = this.#byQueue.get(queue)
    if (lane === undefined) return
    this.#mark(lane)
    this.#pump()
  }

  wakeAll(): void {
    for (const lane of this.#lanes) this.#mark(lane)
    this.#pump()
  }

  /** The slot of a job of this queue is free again. */
  freed(queue: string): void {
    this.#running--
    const lane = this.#byQueue.get(queue)
    if (lane) lane.running--
    this.#pump()
  }

  /** What has ended is written: the backlog has room again. */
  settled(): void {
    this.#pump()
  }

  get isHeld(): boolean {
    return this.#held
  }

  /** While held, nothing is claimed: this worker has been told to wait. */
  hold(held: boolean): void {
    if (this.#held === held) return
    this.#held = held
    if (!held) this.wakeAll()
  }

  /** Claims no more. Resolves when the claims in flight have landed. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#poll)
    clearTimeout(this.#linger)
    if (this.#reserved > 0) await new Promise<void>((resolve) => this.#landed.push(resolve))
  }

  risenMarks(): Mark[] {
    return this.#lanes.flatMap((lane) => lane.marks.risen())
  }

  #mark(lane: Lane): void {
    if (lane.claiming) lane.dueAgain = true
    else lane.due = true
  }

  #schedulePoll(): void {
    this.#poll = setTimeout(
      () => {
        this.wakeAll()
        this.#schedulePoll()
      },
      this.#options.pollInterval * (0.8 + Math.random() * 0.4),
    )
  }

  #pump(): void {
    this.#spread(false)
  }

  /** A small claim now, or a larger one in a moment. */
  #later(): void {
    this.#linger ??= setTimeout(() => {
      this.#linger = undefined
      this.#spread(true)
    }, LINGER_MS)
  }

  /**
   * Gives each queue that may have ready jobs its share of the free slots, beginning with the one whose turn it is: a queue with a long
   * backlog must not take every slot, nor every slot that comes free.
   */
  #spread(now: boolean): void {
    // What it claimed after the loss of its lease would be given back, claimed again, given back.
    if (this.#stopped || this.#held || !this.#ledger.held) return
    const { length } = this.#lanes
    let waiting = 0
    for (const lane of this.#lanes) if (lane.due && !lane.claiming) waiting++
    const first = this.#turn
    for (let step = 0; waiting > 0 && step < length; step++) {
      const at = (first + step) % length
      const lane = this.#lanes[at] as Lane
      if (!lane.due || lane.claiming) continue
      const room = this.#room(lane)
      const share = Math.ceil(Math.min(room, this.free / waiting))
      waiting--
      if (share < 1) continue
      if (!now && this.#busy && room < Math.min(lane.limit, this.#options.concurrency, MOST) / 4) {
        this.#later()
        continue
      }
      this.#turn = (at + 1) % length
      void this.#claim(lane, share)
    }
  }

  get #busy(): boolean {
    return this.#running > 0 || this.#options.unsettled() > 0
  }

  #room(lane: Lane): number {
    const backlog = 2 * this.#options.concurrency - this.#options.unsettled() - this.#running - this.#reserved
    return Math.min(this.free, lane.limit - lane.running, backlog, MOST)
  }

  /**
   * A million jobs at the front that nobody here takes must not be read again by each claim; with jobs to take behind them, the marks see to
   * that, but an idle worker has none.
   */
  async #lookBelow(lane: Lane, worker: number): Promise<void> {
    lane.floor = await readFloor(this.#options.db, worker).catch(() => undefined)
  }

  /** A claim that was not allowed finds nothing either, and says nothing of what is there: a deploy may hold a worker that has not heard of it. */
  async #nothingBelow(lane: Lane, worker: number, floor: Floor): Promise<void> {
    const now = await readFloor(this.#options.db, worker).catch(() => undefined)
    if (now?.permit === floor.permit) lane.marks.raiseTo(floor.position)
  }

  async #claim(lane: Lane, most: number): Promise<void> {
    const ledger = this.#ledger
    const number = ledger.begin()
    lane.claiming = true
    lane.due = false
    lane.dueAgain = false
    this.#reserved += most
    const { floor } = lane
    lane.floor = undefined
    const begun = monotonic()
    let jobs: readonly Claimed[] = []
    try {
      const request = {
        worker: ledger.worker,
        claim: number,
        queue: lane.queue,
        tasks: this.#tasks,
        most,
        bands: lane.marks.bands(most),
      }
      jobs = await claim(this.#options.db, request)
      ledger.took(number, jobs.length)
      lane.marks.raise(jobs)
      if (jobs.length === 0 && floor !== undefined) await this.#nothingBelow(lane, ledger.worker, floor)
      else if (jobs.length === 0 && monotonic() - begun > VAIN_MS) await this.#lookBelow(lane, ledger.worker)
    } catch (error) {
      ledger.lost(number)
      this.#options.onTrouble(error)
    }
    this.#reserved -= most
    this.#running += jobs.length
    lane.running += jobs.length
    if (jobs.length > 0) this.#options.onClaimed(jobs, ledger)
    // Only now: jobs that end at once would otherwise start a claim for the first quarter of the slots that they free, not for all.
    lane.claiming = false
    lane.due = lane.due || lane.dueAgain || jobs.length === most
    if (this.#reserved === 0) for (const resolve of this.#landed.splice(0)) resolve()
    this.#pump()
  }
}
