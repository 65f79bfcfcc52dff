import type { Database } from '../../store/db.ts'
import { type DeployRequirement, type DeployScope, type Overlap, overlappingDeploy } from '../../store/deploys.ts'
import { judge } from './judge.ts'
import type { Offender } from './offender.ts'
import { offendersOf } from './offenders.ts'
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

/** Looks, and holds nothing. What can be interrupted is in nobody's way: a deploy that wants to find nothing running hands it off. */
export async function dryRun(
  db: Database,
  { scope, require, build }: { scope: DeployScope; require: DeployRequirement; build: string | undefined },
): Promise<DryRun> {
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
