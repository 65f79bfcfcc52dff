import { keepLines } from '../../engine/last-lines.ts'
import { type Death, describeDeath, factsOfDeath, ranOutOfMemory, wasKilledFromOutside } from '../../model/death.ts'
import { formatDuration } from '../../model/duration.ts'
import { type Worry, worryOfStops } from '../../model/worry.ts'
import { Database } from '../../store/db.ts'
import type { Drained } from '../drain.ts'
import { RestartBackoff } from './backoff.ts'
import { Child } from './child.ts'
import { settleCulprits } from './culprit.ts'
import type { ChildStarted } from './messages.ts'
import { releaseDead } from './release.ts'

type Level = 'info' | 'warn' | 'error'

export interface SupervisorOptions {
  readonly processes: number
  /** Arguments of node for a worker process. */
  readonly command: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly log: (level: Level, message: string, data?: object) => void
  /** Until a worker process has told its grace: ms. */
  readonly graceMs: number
}

export interface SupervisorEnd {
  /** What became of all runs; undefined: no process had begun to work. */
  readonly drained: Drained | undefined
  /** The exit code that the first start failed with. */
  readonly failed: number | undefined
  /** What was left could be given back; else its lease has to run out. */
  readonly released: boolean
}

/** Giving a dead process's jobs back may take this long; after it, the sweep of another worker does it. */
const RELEASE_MS = 2_000
/** Before the platform's SIGKILL: time to kill what would not end, to release what it held, and to leave. */
const KILL_BEFORE_MS = 300
const LEAVE_BEFORE_MS = 100
/** Where the platform leaves nothing, or is not known to leave anything. */
const LEAST_KILL_MS = 700
const LEAST_LEAVE_MS = 900

/**
 * Starts worker processes, watches and replaces them, stops them within one budget, and gives the jobs of those that die back in an
 * instant. No code of the user is loaded here: nothing that a job does can hurt it.
 */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #children = new Set<Child>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #deaths = new Map<string, number>()
  readonly #worries = new Map<string, number>()
  readonly #end = Promise.withResolvers<SupervisorEnd>()
  #db: Database | undefined
  #graceMs: number
  #stoppedAt: number | undefined
  #everStarted = false
  #quiet = false
  #starts = 0
  #drained: Drained | undefined
  #released = true
  #failed: number | undefined

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#graceMs = options.graceMs
  }

  /** Resolves when it was stopped and every process has ended, or when none could be started at all. */
  get ended(): Promise<SupervisorEnd> {
    return this.#end.promise
  }

  get children(): ReadonlySet<Child> {
    return this.#children
  }

  get stopping(): boolean {
    return this.#stoppedAt !== undefined
  }

  get quiet(): boolean {
    return this.#quiet
  }

  /** Process starts so far, and deaths by their cause. */
  get counts(): { readonly starts: number; readonly deaths: ReadonlyMap<string, number> } {
    return { starts: this.#starts, deaths: this.#deaths }
  }

  /** How often jobs that get nowhere were named, here and in all the processes that there were, by kind. */
  get worries(): ReadonlyMap<string, number> {
    const all = new Map(this.#worries)
    for (const { beat } of this.#children) addTo(all, beat?.worries)
    return all
  }

  /** Runs in progress, as the processes said last. */
  get running(): number {
    return [...this.#children].reduce((sum, { beat }) => sum + (beat?.running ?? 0), 0)
  }

  /** ms until the process must be gone. */
  get leftMs(): number {
    return Math.max(0, this.#graceMs - (performance.now() - (this.#stoppedAt ?? performance.now())))
  }

  /** A question to the database that its workers use; false: it gives no answer within `ms`, or nobody has told yet where it is. */
  async reachesDatabase(ms: number): Promise<boolean> {
    const db = this.#db
    if (db === undefined) return false
    const late = new Promise<false>((resolve) => setTimeout(() => resolve(false), ms).unref())
    const asked = db.query('select').then(
      () => true,
      () => false,
    )
    return Promise.race([asked, late])
  }

  start(): void {
    for (let slot = 0; slot < this.#options.processes; slot++) this.#spawn(new RestartBackoff())
  }

  /** Claims nothing more from now on; what runs, runs on. */
  hush(): void {
    this.#quiet = true
    for (const child of this.#children) child.tell({ kind: 'quiet' })
  }

  /** Passes the stop on, once, and sees to it that everything has ended before the platform would end it. */
  stop(reason: string): void {
    if (this.#stoppedAt !== undefined) return
    this.#stoppedAt = performance.now()
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    for (const child of this.#children) child.tell({ kind: 'stop', reason })
    this.#setDeadlines()
    this.#endIfOver()
  }

  #setDeadlines(): void {
    const after = (ms: number, work: () => void) => setTimeout(work, ms).unref()
    after(Math.max(LEAST_KILL_MS, this.#graceMs - KILL_BEFORE_MS), () => {
      for (const child of this.#children) child.kill()
    })
    after(Math.max(LEAST_LEAVE_MS, this.#graceMs - LEAVE_BEFORE_MS), () => this.#finish())
  }

  #spawn(backoff: RestartBackoff): void {
    if (this.stopping) return
    const { command, env } = this.#options
    this.#starts++
    const child = new Child({ command, env, onStarted: (started) => this.#onStarted(child, started) })
    this.#children.add(child)
    void child.ended.then((death) => this.#onDeath(child, death, backoff))
  }

  #onStarted(child: Child, { url, schema, graceMs }: ChildStarted): void {
    this.#everStarted = true
    this.#graceMs = graceMs
    if (this.#quiet) child.tell({ kind: 'quiet' })
    // An embedded server that came back may be at another address.
    if (this.#db?.url !== url) {
      void this.#db?.close().catch(() => {})
      this.#db = new Database({ url, schema, connections: 2 })
    }
    // Connected before it is needed: when a process dies, each millisecond counts.
    void this.reachesDatabase(RELEASE_MS)
  }

  async #onDeath(child: Child, death: Death & { readonly life: number }, backoff: RestartBackoff): Promise<void> {
    this.#count(child, death)
    // One that said goodbye holds nothing, and may have been the last to leave an embedded server.
    if (child.started !== undefined && !child.clean) {
      await this.#release(child, death).catch((error: unknown) => this.#releaseFailed(child, error))
    }
    this.#children.delete(child)
    addTo(this.#worries, child.beat?.worries)
    if (this.stopping || child.drained !== undefined) this.#drained = sum(this.#drained, wordOf(child))
    if (this.stopping) return this.#endIfOver()
    // Nothing ever worked: that is a mistake in the set-up, and whoever started this must see it as one.
    if (!this.#everStarted && death.code !== 0) return this.#giveUp(death)
    this.#replace(death, backoff)
  }

  #replace(death: { readonly life: number }, backoff: RestartBackoff): void {
    const pause = backoff.after(death.life)
    const again = pause === 0 ? 'now' : `in ${formatDuration(pause)}, after ${backoff.deaths} deaths in a row`
    this.#options.log(backoff.deaths > 1 ? 'error' : 'warn', `A new worker process starts ${again}`, {
      event: 'replacing',
      deaths: backoff.deaths,
    })
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#spawn(backoff)
    }, pause)
    this.#timers.add(timer)
  }

  async #release(child: Child, death: Death): Promise<void> {
    const { key, started } = child
    const db = this.#db
    if (key === undefined || started === undefined || db === undefined) return
    const begun = performance.now()
    const cause = describeDeath(death)
    const orderly = child.drained !== undefined
    await keepLines(db, child.lastWords).catch(() => {})
    const verdicts = await settleCulprits(db, key, child.lastWords, started.tasks)
    const { log } = this.#options
    for (const { message, job } of verdicts)
      log('error', message, { event: 'verdict', ...(job && { job: job.id, task: job.task, run: job.run }) })
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
    const patience = this.stopping ? Math.min(RELEASE_MS, this.leftMs / 2) : RELEASE_MS
    const { jobs, left } = await releaseDead(db, key, how, patience, (job) => {
      if (blameless) this.#worry(worryOfStops(job), { job: job.id, task: job.task })
    })
    const ms = Math.round(performance.now() - begun)
    const rest = left === 0 ? '' : `; ${left} claims could not be emptied yet, another worker's sweep does that`
    const text = `Worker process ${child.pid} is gone: ${cause}. ${jobs} jobs were given back in ${ms} ms${rest}`
    const facts = { worker: key, pid: child.pid, jobs, ms, ...factsOfDeath(death) }
    log(stopped ? 'info' : 'error', text, { event: 'died', ...facts })
  }

  #worry(worry: Worry | undefined, data: object): void {
    if (worry === undefined) return
    this.#worries.set(worry.kind, (this.#worries.get(worry.kind) ?? 0) + 1)
    this.#options.log('warn', worry.message, { ...data, worry: worry.kind })
  }

  #releaseFailed(child: Child, error: unknown): void {
    this.#released = false
    const why = error instanceof Error ? error.message : String(error)
    const text = `The jobs of worker process ${child.pid} could not be given back (${why}): they are free when its lease has run out`
    this.#options.log('warn', text, { event: 'died', worker: child.key, pid: child.pid })
  }

  #count(child: Child, death: Death): void {
    const cause = child.told || child.drained !== undefined ? 'stopped' : kindOf(death)
    this.#deaths.set(cause, (this.#deaths.get(cause) ?? 0) + 1)
  }

  #giveUp(death: Death): void {
    this.#failed = death.code ?? 1
    this.stop('a start that failed')
  }

  #endIfOver(): void {
    if (this.#children.size === 0) this.#finish()
  }

  #finish(): void {
    // Those of whom the time for giving anything back has run out.
    const late = [...this.#children].filter(({ started }) => started !== undefined)
    const drained = late.reduce((all, child) => sum(all, wordOf(child)), this.#drained ?? NOTHING)
    this.#end.resolve({
      drained: this.#everStarted ? drained : undefined,
      failed: this.#failed,
      released: this.#released && late.every(({ clean }) => clean),
    })
    void this.#db?.close().catch(() => {})
  }
}

function addTo(sums: Map<string, number>, counts: Readonly<Record<string, number>> = {}): void {
  for (const [name, count] of Object.entries(counts)) sums.set(name, (sums.get(name) ?? 0) + count)
}

/** What it said of its end; of one that had no time for a last word, what it said before. */
function wordOf({ drained, beat }: Child): Drained {
  return drained ?? { ...NOTHING, left: beat?.running ?? 0 }
}

const NOTHING: Drained = { left: 0, handedOff: 0, finished: 0, ms: 0 }

/** Few, and always the same: labels of a metric. */
function kindOf(death: Death): string {
  if (ranOutOfMemory(death)) return 'out-of-memory'
  return death.signal === null ? 'exit' : 'signal'
}

function sum(a: Drained | undefined, b: Drained): Drained {
  if (a === undefined) return b
  return {
    left: a.left + b.left,
    handedOff: a.handedOff + b.handedOff,
    finished: a.finished + b.finished,
    ms: Math.max(a.ms, b.ms),
  }
}
