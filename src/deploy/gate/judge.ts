import type { DeployRequirement } from '../../store/deploys.ts'
import type { HeldWorker } from '../../store/gate.ts'
import type { SeenJob, View } from './view.ts'

/** Whether the way is free. */
export interface Judgement {
  /** What a deploy must not cut: it waits for them. */
  readonly blockers: readonly SeenJob[]
  /** What may be cut, and still runs. */
  readonly interruptible: readonly SeenJob[]
  /** Workers that have not answered. */
  readonly unheard: readonly HeldWorker[]
  /** ms until the last worker had answered; undefined: not all have, or there are none. */
  readonly heardMs: number | undefined
}

export function judge({ workers, jobs }: View, require: DeployRequirement): Judgement {
  const unheard = workers.filter(({ heard }) => !heard)
  const waits = (job: SeenJob): boolean => require === 'idle' || job.facts.interrupt === 'finish'
  const answers = workers.map(({ heard_ms }) => heard_ms ?? 0)
  return {
    blockers: jobs.filter(waits),
    interruptible: jobs.filter((job) => !waits(job)),
    unheard,
    heardMs: unheard.length > 0 || workers.length === 0 ? undefined : Math.max(0, ...answers),
  }
}
