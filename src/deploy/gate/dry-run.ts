import type { Database } from '../../store/db.ts'
import { type DeployRequirement, type DeployScope, type Overlap, overlappingDeploy } from '../../store/deploys.ts'
import { judge } from './judge.ts'
import { type Offender, offendersOf } from './offender.ts'
import { refuseNobody } from './somebody.ts'
import { Viewer } from './view.ts'

/** Whether a deploy would pass if it began now. */
export interface DryRun {
  readonly passes: boolean
  readonly workers: number
  readonly offenders: readonly Offender[]
  /** Another deploy, which it would meet. */
  readonly overlap: Overlap | undefined
  /** ms until what is in the way should be done; undefined: nobody knows of some of it, or nothing is. */
  readonly inMs: number | undefined
}

interface DryRunOptions {
  readonly scope: DeployScope
  readonly require: DeployRequirement
  readonly build: string | undefined
  /** Goes on where nobody lives in a scope that was narrowed. */
  readonly allowNone?: boolean | undefined
}

/**
 * Looks, and holds nothing. What can be interrupted is in nobody's way: a deploy that wants to find nothing running hands it off.
 * @throws {HoldfastError} HF_DEPLOY_NOBODY
 */
export async function dryRun(db: Database, { scope, require, build, allowNone }: DryRunOptions): Promise<DryRun> {
  if (!allowNone) await refuseNobody(db, scope)
  const [view, overlap] = await Promise.all([new Viewer(db).look({ ...scope, build }), overlappingDeploy(db, scope)])
  const { blockers } = judge(view, require)
  const offenders = await offendersOf(
    db,
    blockers.filter(({ facts }) => facts.interrupt === 'finish'),
  )
  const ends = offenders.map(({ doneInMs }) => doneInMs)
  return {
    passes: offenders.length === 0 && overlap === undefined,
    workers: view.workers.length,
    offenders,
    overlap,
    inMs: ends.length === 0 || ends.includes(null) ? undefined : Math.max(...(ends as number[])),
  }
}
