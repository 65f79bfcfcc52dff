import { type Death, factsOfDeath, ranOutOfMemory } from '../../model/death.ts'
import { formatDuration } from '../../model/duration.ts'
import type { Drained } from '../drain.ts'
import { Aftermath, type Log, obituary, RELEASE_MS } from './aftermath.ts'
import { RestartBackoff } from './backoff.ts'
import { Child } from './child.ts'
import type { ChildStarted } from './messages.ts'
import { WorkDatabase } from './work-database.ts'

export interface SupervisorOptions {
  readonly processes: number
  /** Arguments of node for a worker process. */
  readonly command: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly log: Log
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
  /** Dead, and what they held is on its way back. */
  readonly #dead = new Set<Child>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #deaths = new Map<string, number>()
  /** Of processes that are gone. */
  readonly #worries = new Map<string, number>()
  readonly #database = new WorkDatabase()
  readonly #aftermath: Aftermath
  readonly #end = Promise.withResolvers<SupervisorEnd>()
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
    this.#aftermath = new Aftermath(() => this.#database.db, options.log)
  }

  /** Resolves when it was stopped and every process has ended, or when none could be started at all. */
  get ended(): Promise<SupervisorEnd> {
    return this.#end.promise
  }

  /** Those that live. */
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
    addTo(all, Object.fromEntries(this.#aftermath.worries))
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

  /** Why it takes no work now, as far as can be told within `ms`; undefined: it is ready. */
  async unready(ms: number): Promise<string | undefined> {
    if (this.stopping) return 'stopping'
    if (this.#quiet) return 'quiet: nothing is claimed'
    if (![...this.#children].some(({ beat }) => beat?.claiming)) return 'no worker process claims jobs'
    return this.#database.trouble(ms)
  }

  start(): void {
    for (let slot = 0; slot < this.#options.processes; slot++) this.#spawn(new RestartBackoff())
  }

  /** Claims nothing more from now on; what runs, runs on. */
  hush(): void {
    this.#quiet = true
    this.#cancelStarts()
    for (const child of this.#children) child.tell({ kind: 'quiet' })
  }

  /** Passes the stop on, once, and sees to it that everything has ended before the platform would end it. */
  stop(reason: string): void {
    if (this.#stoppedAt !== undefined) return
    this.#stoppedAt = performance.now()
    this.#cancelStarts()
    for (const child of this.#children) child.tell({ kind: 'stop', reason })
    this.#setDeadlines()
    this.#endIfOver()
  }

  #cancelStarts(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
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
    const child = new Child({ command, env, onStarted: (started) => this.#onStarted(started) })
    this.#children.add(child)
    // It reads this before it works.
    if (this.#quiet) child.tell({ kind: 'quiet' })
    void child.ended.then((death) => this.#onDeath(child, death, backoff))
  }

  #onStarted(started: ChildStarted): void {
    this.#everStarted = true
    this.#graceMs = started.graceMs
    this.#database.use(started)
  }

  async #onDeath(child: Child, death: Death & { readonly life: number }, backoff: RestartBackoff): Promise<void> {
    this.#count(child, death)
    this.#children.delete(child)
    this.#dead.add(child)
    addTo(this.#worries, child.beat?.worries)
    const released = this.#release(child, death)
    // Nobody waits for a database that takes its time: the next process starts beside it.
    if (!this.stopping) this.#succeed(child, death, backoff)
    await released
    this.#dead.delete(child)
    if (this.stopping || child.drained !== undefined) this.#drained = sum(this.#drained, wordOf(child))
    if (this.stopping) this.#endIfOver()
  }

  async #release(child: Child, death: Death): Promise<void> {
    // One that said goodbye holds nothing, and may have been the last to leave an embedded server.
    if (child.started === undefined || child.clean) return
    const patience = this.stopping ? Math.min(RELEASE_MS, this.leftMs / 2) : RELEASE_MS
    if (!(await this.#aftermath.release(child, death, patience))) this.#released = false
  }

  #succeed(child: Child, death: Death & { readonly life: number }, backoff: RestartBackoff): void {
    // Nothing ever worked: that is a mistake in the set-up, and whoever started this must see it as one.
    if (!this.#everStarted && death.code !== 0) return this.#giveUp(death)
    if (child.started === undefined) {
      const text = `${obituary(child, death)}, before it had begun to work`
      this.#options.log('warn', text, { event: 'died', pid: child.pid, ...factsOfDeath(death) })
    }
    this.#replace(death, backoff)
  }

  #replace(death: { readonly life: number }, backoff: RestartBackoff): void {
    // It would claim nothing, until the end: there is nothing that it could do.
    if (this.#quiet) return this.#options.log('info', 'No new worker process starts: quiet', { event: 'quiet' })
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

  #count(child: Child, death: Death): void {
    const cause = child.told || child.drained !== undefined ? 'stopped' : kindOf(death)
    this.#deaths.set(cause, (this.#deaths.get(cause) ?? 0) + 1)
  }

  #giveUp(death: Death): void {
    this.#failed = death.code ?? 1
    this.stop('a start that failed')
  }

  #endIfOver(): void {
    if (this.#children.size === 0 && this.#dead.size === 0) this.#finish()
  }

  #finish(): void {
    // Those of whom the time for giving anything back has run out.
    const late = [...this.#children, ...this.#dead].filter(({ started }) => started !== undefined)
    const drained = late.reduce((all, child) => sum(all, wordOf(child)), this.#drained ?? NOTHING)
    this.#end.resolve({
      drained: this.#everStarted ? drained : undefined,
      failed: this.#failed,
      released: this.#released && late.every(({ clean }) => clean),
    })
    this.#database.close()
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
