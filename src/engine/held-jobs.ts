import { SUSPECT_AFTER } from '../model/worry.ts'
import { heldBy } from '../store/claims.ts'
import { Database } from '../store/db.ts'
import type { RenewalOptions } from '../store/renewal.ts'
import type { TaskDefinition } from '../tasks/definition.ts'
import type { StoppedPolicy } from './settle-verdict.ts'
import type { HeldJob } from './watchdog.ts'
import { condemnedOf, stoppedPolicy } from './watched.ts'

/** What a thread without the app's code knows of a task. */
export interface TaskFacts {
  /** ms; undefined: no limit. */
  readonly hard: number | undefined
  readonly policy: StoppedPolicy
  /** It runs in a process or thread of its own, and blocks no event loop but that one's. */
  readonly away: boolean
}

export function factsOf(task: TaskDefinition): TaskFacts {
  return { hard: task.timeLimit?.hard, policy: stoppedPolicy(task), away: task.isolate !== undefined }
}

const PATIENCE_MS = 2_000

/** The jobs that the database says this worker holds in its own process; those that have ended and are not written yet are among them. */
export async function heldJobs(
  renewal: RenewalOptions | undefined,
  tasks: ReadonlyMap<string, TaskFacts>,
): Promise<HeldJob[]> {
  if (renewal === undefined) return []
  const { url, direct, schema, worker } = renewal
  const options = { schema, connections: 1, statementTimeout: PATIENCE_MS }
  const db = new Database({ url: direct?.url ?? url, ...options })
  try {
    const held = await heldBy(db, worker)
    return held.flatMap((job) => {
      const facts = tasks.get(job.task)
      if (facts === undefined || facts.away || job.crashes >= SUSPECT_AFTER) return []
      return [{ job: condemnedOf(job), ...facts }]
    })
  } finally {
    await db.close()
  }
}
