import type { Band } from '../../src/store/claims.ts'

import { type Fence, FRONT, type Job, NONE, RUNNING, S, type Worker, waits } from './facts.ts'

/** All that the store promises of jobs, workers and ledgers, in a few maps. Each method does what one statement should, and tells its answer. */
export class Model {
  readonly jobs = new Map<string, Job>()
  readonly workers: Worker[] = []
  /** By worker and claim: the jobs and runs that the database's ledger has. */
  readonly ledger = new Map<string, Fence[]>()
  readonly requests = new Map<string, 'cancel' | 'pause'>()
  readonly parts = new Map<string, string>()
  /** Waiting jobs that are due. */
  readonly overdue = new Set<string>()
  /** Every fence that was ever given out, stale ones too. */
  readonly fences: Fence[] = []

  job(id: string): Job {
    return this.jobs.get(id) as Job
  }

  worker(key: number): Worker {
    return this.workers.find((worker) => worker.key === key) as Worker
  }

  add(id: string, task: string, priority: number, state: number, version = 1): void {
    this.jobs.set(id, {
      id,
      task,
      version,
      priority,
      state,
      run: 0,
      lane: 1,
      position: null,
      worker: null,
      failures: 0,
      ...NONE,
    })
  }

  /** Whether the run that shows this fence has the job. Everything that a run writes hangs on this. */
  holds({ id, run }: Fence, states: readonly number[] = RUNNING): boolean {
    const job = this.jobs.get(id)
    return job !== undefined && job.run === run && states.includes(job.state)
  }

  claim(key: number, claim: number, most: number, bands: readonly Band[]): Fence[] {
    const worker = this.worker(key)
    if (!worker.alive) return []
    const rank = ({ lane, priority }: Job) =>
      bands.findIndex((band) => band.lane === lane && band.priority === priority)
    const taken = [...this.jobs.values()]
      .filter((job) => job.state === S.ready && worker.tasks.includes(keyOf(job)))
      .sort((one, other) => rank(one) - rank(other) || (one.position as number) - (other.position as number))
      .slice(0, most)
    const fences = taken.map((job) => {
      Object.assign(job, { state: S.running, run: job.run + 1, worker: key })
      return { id: job.id, run: job.run, worker: key, claim }
    })
    if (fences.length > 0) this.ledger.set(`${key} ${claim}`, fences)
    this.fences.push(...fences)
    return fences
  }

  /** The worker's process lets go of a job; the claims of which it holds nothing any more, to be closed with the write. */
  letGo({ id, run, worker, claim }: Fence): number[] {
    const { open } = this.worker(worker)
    const held = open.get(claim)
    if (!held?.delete(`${id} ${run}`) || held.size > 0) return []
    open.delete(claim)
    return [claim]
  }

  close(key: number, claims: readonly number[], { onlyEmpty = false } = {}): void {
    for (const claim of claims) {
      const row = `${key} ${claim}`
      if (!onlyEmpty || !this.ledger.get(row)?.some((fence) => this.holds(fence))) this.ledger.delete(row)
    }
  }

  start(fence: Fence): boolean {
    return this.#move(fence, [S.running], () => ({ state: S.started }))
  }

  finish(fence: Fence, state: number, keep: boolean, crashed = false): boolean {
    const once = this.jobs.get(fence.id)?.state === S.started
    const moved = this.#move(fence, RUNNING, (job) => ({
      state,
      once,
      failures: job.failures + (state === S.failed && !crashed ? 1 : 0),
      interruptions: job.interruptions + (state === S.interrupted ? 1 : 0),
      losses: job.losses + (state === S.lost ? 1 : 0),
      crashes: job.crashes + (crashed ? 1 : 0),
    }))
    if (moved) this.requests.delete(fence.id)
    if (moved && !keep) this.jobs.delete(fence.id)
    return moved
  }

  delay(fence: Fence, state: number, crashed: boolean): boolean {
    // What was to be parked for a crash, though its run got it further, goes on at once.
    const goesOn = state === S.parked && crashed && this.jobs.get(fence.id)?.moved === fence.run
    const moved = this.#move(fence, [S.running], (job) => ({
      state: goesOn ? S.snoozed : state,
      crashes: crashesAfter(job, crashed),
      failures: job.failures + (state === S.retrying ? 1 : 0),
    }))
    if (!moved) return false
    // Of a wait before this one, which somebody may have cut short.
    this.overdue.delete(fence.id)
    if (goesOn || (state === S.snoozed && crashed)) this.overdue.add(fence.id)
    // A pause that was taken back meanwhile, or overruled, is over at once.
    const overdue = state === S.paused && this.requests.get(fence.id) !== 'pause'
    if (overdue) this.overdue.add(fence.id)
    else if (state === S.paused) this.requests.delete(fence.id)
    return true
  }

  handBack(fence: Fence, interrupted: boolean, crashed = false): boolean {
    return this.#move(fence, [S.running], (job) => ({
      ...FRONT,
      crashes: crashesAfter(job, crashed),
      interruptions: job.interruptions + (interrupted ? 1 : 0),
    }))
  }

  checkpoint(fence: Fence, items: number): boolean {
    const before = this.jobs.get(fence.id)?.items ?? 0
    return (
      items >= before &&
      this.#move(fence, RUNNING, ({ moved }) => ({ items, moved: items > before ? fence.run : moved }))
    )
  }

  adopt(fence: Fence, version: number): boolean {
    return this.#move(fence, RUNNING, () => ({ version }))
  }

  fanOut(fence: Fence, part: string): boolean {
    if (!this.holds(fence)) return false
    if (this.parts.has(fence.id)) return true
    const { task, priority, version } = this.job(fence.id)
    this.add(part, task, priority, S.ready, version)
    this.parts.set(fence.id, part)
    return true
  }

  /** What a claim took whose answer its worker never got. */
  strangers(key: number): Fence[] {
    const unknown = [...this.ledger.values()]
      .flat()
      .filter((fence) => fence.worker === key && !this.worker(key).open.has(fence.claim))
    return unknown.filter((fence) => this.holds(fence, [S.running]))
  }

  renew(key: number): boolean {
    const worker = this.worker(key)
    if (worker.alive) worker.lease = 'held'
    return worker.alive
  }

  revoke(key: number, force: boolean): boolean {
    const worker = this.worker(key)
    if (worker.alive && !force && worker.lease === 'held') return false
    worker.alive = false
    return true
  }

  /** The ids that were given back or ended as lost. */
  release(key: number, outcome: 'lost' | 'crashed' | 'interrupted'): string[] {
    const worker = this.worker(key)
    if (worker.alive) return []
    const held = [...this.jobs.values()].filter((job) => job.worker === key && RUNNING.includes(job.state))
    for (const job of held) {
      const once = job.state === S.started
      if (once) this.requests.delete(job.id)
      const end = outcome === 'interrupted' ? S.interrupted : S.lost
      const crashed = outcome === 'crashed'
      Object.assign(job, once ? { state: end, once, worker: null } : FRONT, {
        losses: job.losses + (outcome === 'lost' ? 1 : 0),
        interruptions: job.interruptions + (outcome === 'interrupted' ? 1 : 0),
        crashes: once ? job.crashes + (crashed ? 1 : 0) : crashesAfter(job, crashed),
      })
    }
    this.forget(key)
    return held.map((job) => job.id)
  }

  /** Forgets what a worker that is gone holds no more; the number of its claims that are left. */
  forget(key: number): number {
    const worker = this.worker(key)
    const rows = [...this.ledger].filter(([, [fence]]) => fence?.worker === key)
    if (worker.alive) return rows.length
    const empty = rows.filter(([, fences]) => !fences.some((fence) => this.holds(fence)))
    for (const [row] of empty) this.ledger.delete(row)
    if (empty.length === rows.length) worker.lease = 'gone'
    return rows.length - empty.length
  }

  cancel(id: string): string | undefined {
    return this.#forParts(id, (part) => {
      const was = this.#whereabouts(part)
      if (was === 'running') this.requests.set(part, 'cancel')
      else if (was !== undefined) this.requests.delete(part)
      if (was === 'ready' || was === 'waiting') this.job(part).state = S.cancelled
      return was
    })
  }

  pause(id: string): string | undefined {
    return this.#forParts(id, (part) => {
      const was = this.#whereabouts(part)
      if (was === 'ready' || was === 'waiting') this.job(part).state = S.paused
      this.overdue.delete(part)
      if (was !== 'running') return was
      if (this.requests.get(part) === 'cancel') return undefined
      this.requests.set(part, 'pause')
      return was
    })
  }

  resume(id: string): boolean {
    const resumed = this.#forParts(id, (part) => {
      const paused = this.jobs.get(part)?.state === S.paused
      if (paused) Object.assign(this.job(part), FRONT)
      return (this.requests.get(part) === 'pause' && this.requests.delete(part)) || paused || undefined
    })
    return resumed === true
  }

  /** The id of the job that is ready now. */
  retry(id: string, fresh: string): string | undefined {
    const job = this.job(id)
    if ([S.scheduled, S.retrying, S.snoozed, S.parked].some((state) => state === job.state)) {
      Object.assign(job, FRONT, job.state === S.parked ? { crashes: 0 } : {})
    } else if (job.state <= S.completed) return undefined
    else if (job.once) {
      this.requests.delete(id)
      this.add(fresh, job.task, job.priority, S.ready, job.version)
      Object.assign(this.job(fresh), FRONT)
      return fresh
    } else {
      this.requests.delete(id)
      Object.assign(job, FRONT, {
        failures: 0,
        interruptions: 0,
        losses: 0,
        crashes: 0,
        moved: (job.items ?? 0) > 0 ? job.run : 0,
      })
    }
    return id
  }

  /** How many became ready. */
  promote(due: readonly string[]): number {
    const ready = [...this.jobs.values()].filter(
      ({ id, state }) => waits(state) && (due.includes(id) || this.overdue.has(id)),
    )
    for (const job of ready) Object.assign(job, FRONT, { lane: 1 })
    this.overdue.clear()
    return ready.length
  }

  /** What is asked of a job is asked of all its parts. */
  #forParts<T>(id: string, change: (part: string) => T | undefined): T | undefined {
    const answers = [id, this.parts.get(id)].map((part) => (part === undefined ? undefined : change(part)))
    return answers.find((answer) => answer !== undefined)
  }

  #whereabouts(id: string): string | undefined {
    const state = this.jobs.get(id)?.state
    if (state === undefined) return undefined
    return state === S.ready
      ? 'ready'
      : RUNNING.includes(state)
        ? 'running'
        : state < S.completed
          ? 'waiting'
          : undefined
  }

  #move(fence: Fence, states: readonly number[], change: (job: Job) => Partial<Job>): boolean {
    if (!this.holds(fence, states)) return false
    const job = this.job(fence.id)
    Object.assign(job, change(job))
    return true
  }
}

function keyOf({ task, version }: Job): string {
  return version === 1 ? task : `${task}@${version}`
}

/** Progress clears the crashes of the runs before it. */
function crashesAfter({ moved, run, crashes }: Job, crashed: boolean): number {
  return (moved === run ? 0 : crashes) + (crashed ? 1 : 0)
}
