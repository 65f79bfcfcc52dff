import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../store/db.ts'
import type { Member } from './member.ts'
import { wrote } from './table.ts'
import { type Fate, type Move, type Strike, staleWrites } from './verdict.ts'
import type { Testimony, Witness } from './witness.ts'

/** What became of a worker, for the reader. */
export type Incident = { readonly release: number; readonly moves: readonly Move[] } & (
  | { readonly fate: 'stop'; readonly inTime: boolean }
  | { readonly fate: 'kill'; readonly open: Testimony | undefined }
  | { readonly fate: 'freeze'; readonly stale: number; readonly arrived: number }
)

export interface FaultOptions {
  readonly witness: Witness
  readonly db: Database
  /** Of a stop, in seconds. */
  readonly grace: number
  readonly signal: AbortSignal
}

/** Every third worker is killed, every fifth is frozen. */
export function fateOf(round: number): Fate {
  if (round % 5 === 0) return 'freeze'
  return round % 3 === 0 ? 'kill' : 'stop'
}

const AIM_MS = 3_000
const MOVE_MS = 10_000
const TAKEOVER_MS = 15_000
const STALE_MS = 3_000

/** Does to workers what platforms do, and writes down what it did. It aims: the witness says when a batch is open. */
export class Faults {
  readonly #options: FaultOptions
  readonly strikes: Strike[] = []

  constructor(options: FaultOptions) {
    this.#options = options
  }

  /** Resolves when the worker was struck; `aftermath` when it is clear what became of its jobs. */
  async strike(member: Member, fate: Fate): Promise<{ aftermath: Promise<Incident> }> {
    switch (fate) {
      case 'stop':
        return this.#stop(member)
      case 'kill':
        return this.#kill(member)
      case 'freeze':
        return this.#freeze(member)
    }
  }

  async #stop(member: Member): Promise<{ aftermath: Promise<Incident> }> {
    const release = member.release.number
    const at = Date.now()
    const moves = this.#follow(release, at)
    const inTime = await member.stop(this.#options.grace * 1_000)
    this.strikes.push({ fate: 'stop', release, at, inTime, wokeAt: undefined })
    return { aftermath: moves.then((moved) => ({ fate: 'stop', release, inTime, moves: moved })) }
  }

  /** At a moment in which a batch is inserted and not committed. */
  async #kill(member: Member): Promise<{ aftermath: Promise<Incident> }> {
    const release = member.release.number
    const open = await this.#catchOpen(member)
    const at = Date.now()
    const moves = this.#follow(release, at)
    await member.kill()
    this.strikes.push({ fate: 'kill', release, at, inTime: false, wokeAt: undefined })
    return { aftermath: moves.then((moved) => ({ fate: 'kill', release, open, moves: moved })) }
  }

  /** Holds the worker still while the table is asked: what it inserted a moment ago may be committed by now. */
  async #catchOpen(member: Member): Promise<Testimony | undefined> {
    const { witness, db } = this.#options
    const release = member.release.number
    for (const deadline = performance.now() + AIM_MS; performance.now() < deadline; ) {
      const inserted = await witness.find((line) => line.release === release && line.did === 'insert', AIM_MS)
      if (inserted === undefined) return undefined
      member.freeze()
      if (!(await wrote(db, release, inserted.from, inserted.to))) return inserted
      member.wake()
    }
    return undefined
  }

  /** While none of its batches has a transaction open: when the worker wakes up, it opens them in good faith. */
  async #freeze(member: Member): Promise<{ aftermath: Promise<Incident> }> {
    const release = member.release.number
    const { witness } = this.#options
    const begun = await witness.find(
      (line) => line.release === release && line.did === 'begin' && witness.heldBy(release).every(isBegun),
      AIM_MS,
    )
    // It has just come to the end of its jobs: frozen, it would prove nothing.
    if (begun === undefined) return this.#stop(member)
    const at = Date.now()
    const moves = this.#follow(release, at)
    member.freeze()
    return { aftermath: this.#thaw(member, begun, at, moves) }
  }

  /** Wakes it when another worker has done its batch, and lets it try to write. */
  async #thaw(member: Member, begun: Testimony, at: number, moves: Promise<Move[]>): Promise<Incident> {
    const { witness, db, grace, signal } = this.#options
    const release = member.release.number
    await witness.find((line) => isPast(line, begun), TAKEOVER_MS, witness.lines.indexOf(begun))
    const moved = await moves

    const from = witness.lines.length
    const wokeAt = Date.now()
    member.wake()
    const strike: Strike = { fate: 'freeze', release, at, inTime: false, wokeAt }
    this.strikes.push(strike)
    await witness.find(
      (line) => line.release === release && line.did === 'insert' && line.job === begun.job,
      STALE_MS,
      from,
    )
    // Its other jobs are at most a moment behind, and each has the length of a transaction to be refused or not.
    await sleep(200, undefined, { signal })
    await member.stop(grace * 1_000)

    const stale = staleWrites(strike, witness.lines)
    const found = await Promise.all(stale.map((line) => wrote(db, release, line.from, line.to)))
    return {
      fate: 'freeze',
      release,
      moves: moved,
      stale: stale.length,
      arrived: found.filter(Boolean).length,
    }
  }

  /** Begun before the fault, awaited after it. */
  #follow(release: number, at: number): Promise<Move[]> {
    const moves = this.#moves(release, at)
    moves.catch(() => {})
    return moves
  }

  /** Waits until every job that the worker is at has gone on elsewhere. */
  async #moves(release: number, at: number): Promise<Move[]> {
    const { witness } = this.#options
    const from = witness.lines.length
    const moves = witness.heldBy(release).map(async ({ job, run }) => {
      const next = await witness.find(
        (line) => line.job === job && (line.run > run || line.did === 'done'),
        MOVE_MS,
        from,
      )
      return next === undefined || next.release === release ? [] : [{ job, to: next.release, ms: next.at - at }]
    })
    return (await Promise.all(moves)).flat()
  }
}

function isBegun(line: Testimony): boolean {
  return line.did === 'begin'
}

/** A later run has begun with a later batch, so that it has committed this one; or the job is done. */
function isPast(line: Testimony, batch: Testimony): boolean {
  return (
    line.job === batch.job &&
    line.run > batch.run &&
    (line.did === 'done' || (line.did === 'begin' && line.from > batch.from))
  )
}
