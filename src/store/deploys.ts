import { HoldfastError, isHoldfastError } from '../model/errors.ts'
import type { Overdue } from '../model/overdue.ts'
import type { Database } from './db.ts'
import { isTransient } from './db-errors.ts'

/** Which workers a deploy means; undefined: all. */
export interface DeployScope {
  readonly apps?: readonly string[] | undefined
  /** Workers that serve one of these. */
  readonly queues?: readonly string[] | undefined
  /** Names of workers, as patterns of LIKE. */
  readonly workers?: readonly string[] | undefined
}

export interface NewDeploy extends DeployScope {
  /** Who it is: `person@host:pid`. */
  readonly owner: string
  readonly reason: string
  /** The build of the new code. */
  readonly build: string | undefined
  readonly token: string
  readonly require: DeployRequirement
  /** ms until it expires, unless it is renewed. */
  readonly expires: number
}

/** What may still run when the way is free: what can be interrupted, or nothing. */
export type DeployRequirement = 'interruptible' | 'idle'
export type DeployState = 'preparing' | 'held' | 'migrating' | 'finished' | 'aborted' | 'expired'
/** Those in which it holds workers. */
export type LiveState = 'preparing' | 'held' | 'migrating'

export interface Deploy {
  readonly number: number
  readonly state: DeployState
  readonly owner: string
  readonly reason: string
  readonly build: string | null
  readonly token: string
  readonly apps: readonly string[] | null
  readonly queues: readonly string[] | null
  readonly workers: readonly string[] | null
  readonly require: DeployRequirement
  readonly started_at: Date
  readonly passed_at: Date | null
  readonly migrating_at: Date | null
  readonly ended_at: Date | null
  readonly expires_at: Date
  /** ms left of its hold; negative: it has run out. */
  readonly left_ms: number
  /** ms until every worker had answered. */
  readonly heard_ms: number | null
  readonly why: string | null
  /** What it waited for, as JSON. */
  readonly report: string | null
  /** Workers that it holds now. */
  readonly held: number
}

export interface BegunDeploy {
  readonly number: number
  readonly started_at: Date
  /** null: workers of this build live already, so that only the token tells new ones apart. */
  readonly build: string | null
}

/** A claim lands in milliseconds; one that does not belongs to a server in trouble. */
const LOCK_TIMEOUT = "set local lock_timeout = '10s'"
const NO_SCOPE: DeployScope = {}

/**
 * Holds all workers in the scope: when this resolves, none of their claims lands any more.
 * @throws {HoldfastError} HF_DEPLOY_OVERLAP
 */
export async function beginDeploy(db: Database, deploy: NewDeploy): Promise<BegunDeploy> {
  const { owner, reason, build, token, require, expires } = deploy
  const scope = scopeOf(deploy)
  return inTurn(db, async (run) => {
    await run('expire_deploys', [])
    const [other] = await run<Overlap>('overlapping_deploys', scope)
    if (other !== undefined) throw overlap(other)
    const values = [owner, reason, build ?? null, token, ...scope, require, expires]
    const [begun] = await run<BegunDeploy>('begin_deploy', values)
    await run('settle_holds', [])
    return begun as BegunDeploy
  })
}

export type Overlap = Pick<Deploy, 'number' | 'state' | 'owner' | 'reason' | 'started_at' | 'expires_at'>

/** One that holds workers which a deploy of this scope would hold, too. */
export async function overlappingDeploy(db: Database, scope: DeployScope): Promise<Overlap | undefined> {
  return (await db.run<Overlap>('overlapping_deploys', scopeOf(scope)))[0]
}

function overlap({ number, state, owner, reason, started_at, expires_at }: Overlap): HoldfastError {
  const until = state === 'migrating' ? 'has begun to migrate' : `expires at ${expires_at.toISOString()}`
  return new HoldfastError(
    'HF_DEPLOY_OVERLAP',
    `Deploy ${number} of ${owner} (${reason}) holds workers of this scope: it began at ${started_at.toISOString()} and ${until}.`,
  )
}

/**
 * False: it does not hold any more.
 * @throws {HoldfastError} HF_DEPLOY_BUSY, as all that change a deploy
 */
export async function renewDeploy(
  db: Database,
  number: number,
  ms: number,
  states: readonly LiveState[],
): Promise<boolean> {
  return (await steer(db, 'renew_deploy', [number, ms, states])) !== undefined
}

export interface Passed {
  /** ms that it holds by itself. */
  readonly hold: number
  readonly heardMs: number | undefined
  readonly report: object
}

/** Resolves with when its hold ends, also when it is asked again; undefined: it had expired or ended meanwhile. */
export async function passDeploy(db: Database, number: number, passed: Passed): Promise<Date | undefined> {
  const { hold, heardMs, report } = passed
  const values = [number, hold, heardMs ?? null, JSON.stringify(report)]
  return (await steer(db, 'pass_deploy', values))?.expires_at
}

/** False: it does not hold any more, or not yet by itself. */
export async function markDeploy(db: Database, number: number): Promise<boolean> {
  return (await steer(db, 'mark_deploy', [number])) !== undefined
}

/**
 * Whether it still holds is seen, and what changes is written, while no worker looks: one that looked in between would let itself go, of a
 * hold that has been made longer.
 */
function steer(
  db: Database,
  name: 'mark_deploy' | 'pass_deploy' | 'renew_deploy',
  values: readonly unknown[],
): Promise<{ expires_at: Date } | undefined> {
  return inTurn(db, async (run) => {
    const [row] = await run<{ expires_at: Date }>(name, values)
    if (row !== undefined) await run('settle_holds', [])
    return row
  })
}

export interface EndOfDeploy {
  readonly state: 'finished' | 'aborted'
  readonly why?: string | undefined
  readonly report?: object | undefined
  /** In which states it may end so. */
  readonly from: readonly LiveState[]
}

/** Ends a deploy: who was held by it claims again. Resolves with what it was; undefined: it was in none of those states. */
export async function endDeploy(
  db: Database,
  number: number,
  { state, why, report, from }: EndOfDeploy,
): Promise<{ state: LiveState; expired: boolean } | undefined> {
  return inTurn(db, async (run) => {
    const values = [number, state, why ?? null, report === undefined ? null : JSON.stringify(report), from]
    const [ended] = await run<{ state: LiveState; expired: boolean }>('end_deploy', values)
    if (ended !== undefined) await run('settle_holds', [])
    return ended
  })
}

export async function listDeploys(
  db: Database,
  { number, live = false, most }: { number?: number; live?: boolean; most: number },
): Promise<Deploy[]> {
  return db.run('list_deploys', [number ?? null, live, most])
}

/** Deploys that a person has to end. For a worker: only if it is the oldest one that lives. */
export async function overdueDeploys(db: Database, worker?: number): Promise<Overdue[]> {
  return db.run('overdue_deploys', [worker ?? null])
}

/** Two that begin at once take turns; a worker that registers now is seen, or sees what was written. */
async function inTurn<T>(db: Database, work: (run: Database['run']) => Promise<T>): Promise<T> {
  try {
    return await db.transaction(async (client) => {
      const run: Database['run'] = (name, values) => db.run(name, values, client)
      await run('lock_gate', [])
      return work(run)
    }, LOCK_TIMEOUT)
  } catch (error) {
    const stoodStill = isHoldfastError(error, 'HF_TX_IDLE')
    if (!stoodStill && !isTransient(error)) throw error
    const why = stoodStill
      ? 'This process stood still for more than 5 s in its turn at the gate'
      : 'A claim or another deploy held its locks for more than 10 s'
    throw new HoldfastError('HF_DEPLOY_BUSY', `${why}; nothing was changed.`, { cause: error })
  }
}

export function scopeOf({ apps, queues, workers }: DeployScope = NO_SCOPE) {
  return [apps ?? null, queues ?? null, workers ?? null] as const
}
