import { overdueCure, overdueText } from '../model/overdue.ts'
import type { Database } from '../store/db.ts'
import { overdueDeploys } from '../store/deploys.ts'
import { type Hold, mayBeHeld, settleHold } from '../store/gate.ts'
import { monotonic } from './monotonic.ts'
import { Service } from './service.ts'
import type { WorkerOptions } from './worker-options.ts'

export interface HoldWatchOptions {
  readonly db: Database
  /** This worker's key, once it has one. */
  readonly worker: () => number | undefined
  /** ms */
  readonly pollInterval: number
  readonly log: WorkerOptions['log']
  /** What holds it, seen just now; undefined: nothing does. */
  readonly onLook: (hold: Hold | undefined) => void
  /** It has answered to a deploy. */
  readonly onAnswered: () => void
  readonly onTrouble: (error: unknown) => void
}

const HELD_EVERY_MS = 1_000
const ALERT_EVERY_MS = 60_000

/**
 * A worker's ear for deploys: when one begins, it answers; when one is over, by a command or by the clock, it lets itself go. That it does
 * not claim meanwhile does not depend on it: that is a fact in the database.
 */
export class HoldWatch {
  readonly #options: HoldWatchOptions
  readonly #service: Service
  #hold: Hold | undefined
  #looking: Promise<void> | undefined
  #again = false
  #alertAt = 0
  #lookForAllAt = 0

  constructor(options: HoldWatchOptions) {
    this.#options = options
    this.#service = new Service(async () => {
      await this.#look()
      return this.held ? Math.min(HELD_EVERY_MS, options.pollInterval) : options.pollInterval
    }, options.onTrouble)
  }

  get held(): boolean {
    return this.#hold !== undefined
  }

  start(): void {
    this.#service.start()
  }

  async stop(): Promise<void> {
    await this.#service.stop()
    await this.#looking?.catch(() => {})
  }

  /** Somebody says that a deploy has begun or ended. */
  hear(): void {
    if (this.#looking !== undefined) this.#again = true
    else this.#look().catch(this.#options.onTrouble)
  }

  async #look(): Promise<void> {
    this.#looking ??= this.#see().finally(() => {
      this.#looking = undefined
      if (!this.#again) return
      this.#again = false
      this.hear()
    })
    await this.#looking
  }

  async #see(): Promise<void> {
    const { db, onLook, onAnswered } = this.#options
    const key = this.#options.worker()
    if (key === undefined) return
    const before = this.#hold
    if (before === undefined && !(await mayBeHeld(db, key))) {
      onLook(undefined)
      return this.#lookForAll(key)
    }
    this.#hold = await settleHold(db, key)
    if (this.#hold?.deploy !== before?.deploy) this.#tell(before)
    this.#alert()
    onLook(this.#hold)
    if (this.#hold !== undefined && this.#hold.deploy !== before?.deploy) onAnswered()
  }

  #tell(before: Hold | undefined): void {
    const { log } = this.#options
    const hold = this.#hold
    if (hold === undefined) return log('info', `Deploy ${before?.deploy} is over: this worker claims again`)
    log('info', `Held by deploy ${hold.deploy} of ${hold.owner} (${hold.reason}): this worker claims nothing`, {
      deploy: hold.deploy,
    })
  }

  #alert(): void {
    const hold = this.#hold
    if (hold?.overdue !== true || hold.state !== 'migrating' || monotonic() < this.#alertAt) return
    this.#alertAt = monotonic() + ALERT_EVERY_MS
    const text = `Deploy ${hold.deploy} of ${hold.owner} had begun to migrate, and its time has run out: this worker still claims nothing.`
    this.#options.log('error', `${text} ${overdueCure(hold.deploy)}`, { deploy: hold.deploy })
  }

  /**
   * In place, the old workers are stopped, and none of them is left to say that a deploy was never ended: the oldest worker there is says it.
   * The next old one that starts would be held, and nobody would know why.
   */
  async #lookForAll(key: number): Promise<void> {
    if (monotonic() < this.#lookForAllAt) return
    this.#lookForAllAt = monotonic() + ALERT_EVERY_MS
    for (const found of await overdueDeploys(this.#options.db, key)) {
      this.#options.log('error', `${overdueText(found)} ${overdueCure(found.number)}`, { deploy: found.number })
    }
  }
}
