import { keepLines } from '../../engine/last-lines.ts'
import { within } from '../../engine/within.ts'
import { type Death, describeDeath, factsOfDeath, wasKilledFromOutside } from '../../model/death.ts'
import { formatDuration } from '../../model/duration.ts'
import { type Worry, worryOfStops } from '../../model/worry.ts'
import type { Database } from '../../store/db.ts'
import type { Child } from './child.ts'
import { settleCulprits } from './culprit.ts'
import { releaseDead } from './release.ts'

export type Log = (level: 'info' | 'warn' | 'error', message: string, data?: object) => void

/** Giving a dead process's jobs back may take this long; after it, the sweep of another worker does it. */
export const RELEASE_MS = 2_000
/** With what is written before it, to a database that takes its time for each statement. */
export const RELEASE_MOST_MS = 6_000
/** What follows the death of a worker process: its jobs are given back at once, and the database has what is known of the cause. */
export class Aftermath {
  readonly #log: Log
  readonly #db: () => Database | undefined
  readonly #worries = new Map<string, number>()

  constructor(db: () => Database | undefined, log: Log) {
    this.#db = db
    this.#log = log
  }

  /** How often jobs that get nowhere were named here, by kind. */
  get worries(): ReadonlyMap<string, number> {
    return this.#worries
  }

  /** Within `patience` ms, as far as it is up to this process. False: its jobs are free when its lease has run out. */
  async release(child: Child, death: Death, patience = RELEASE_MS): Promise<boolean> {
    try {
      const work = this.#release(child, death, patience).then(() => true)
      if (await within(work, RELEASE_MOST_MS)) return true
      throw new Error(`it took longer than ${formatDuration(RELEASE_MOST_MS)}`)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      const what = `Its jobs could not be given back (${why}): they are free when its lease has run out`
      const facts = { worker: child.key, pid: child.pid, ...factsOfDeath(death) }
      this.#log('warn', `${obituary(child, death)}. ${what}`, { event: 'died', ...facts })
      return false
    }
  }

  async #release(child: Child, death: Death, patience: number): Promise<void> {
    const { key, started } = child
    const db = this.#db()
    if (key === undefined || started === undefined || db === undefined) return
    const begun = performance.now()
    const cause = describeDeath(death)
    const orderly = child.drained !== undefined
    await keepLines(db, child.lastWords).catch(() => {})
    const verdicts = await settleCulprits(db, key, child.lastWords, started.tasks)
    for (const { message, job } of verdicts)
      this.#log('error', message, { event: 'verdict', ...(job && { job: job.id, task: job.task, run: job.run }) })
    const stopped = child.told || orderly || verdicts.length > 0
    const replaced = verdicts[0] && `its worker process was replaced: ${verdicts[0].message}`
    const reason = replaced ?? (stopped ? 'its process was stopped' : `its process died: ${cause}`)
    // A kill from outside says nothing of the code that ran: no suspicion, but the cause is kept.
    const blameless = stopped || wasKilledFromOutside(death)
    const how = {
      outcome: blameless ? 'interrupted' : 'crashed',
      reason,
      error: stopped ? undefined : { name: blameless ? 'Killed' : 'Crashed', message: cause, ...factsOfDeath(death) },
    } as const
    const { jobs, left } = await releaseDead(db, key, how, patience, (job) => {
      if (blameless) this.#worry(worryOfStops(job), { job: job.id, task: job.task })
    })
    const ms = Math.round(performance.now() - begun)
    const rest = left === 0 ? '' : `; ${left} claims could not be emptied yet, another worker's sweep does that`
    const text = `${obituary(child, death)}. ${jobs} jobs were given back in ${ms} ms${rest}`
    const facts = { worker: key, pid: child.pid, jobs, ms, ...factsOfDeath(death) }
    this.#log(stopped ? 'info' : 'error', text, { event: 'died', ...facts })
  }

  #worry(worry: Worry | undefined, data: object): void {
    if (worry === undefined) return
    this.#worries.set(worry.kind, (this.#worries.get(worry.kind) ?? 0) + 1)
    this.#log('warn', worry.message, { ...data, worry: worry.kind })
  }
}

export function obituary({ pid }: Child, death: Death): string {
  return `Worker process ${pid ?? '?'} is gone: ${describeDeath(death)}`
}
