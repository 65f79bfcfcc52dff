import type { Checkpoint } from '../store/checkpoints.ts'
import type { Database } from '../store/db.ts'
import type { Attempt } from './attempt.ts'
import type { ContextPorts } from './context.ts'
import type { EngineTransactions } from './transactions.ts'

/** What a run needs of its worker. */
export interface ExecutePorts {
  readonly db: Database
  readonly transactions: EngineTransactions
  readonly log: ContextPorts['log']
  readonly newJob: ContextPorts['newJob']
  /** An iteration is about to go on from what it had saved. */
  readonly opened?: ((attempt: Attempt, from: Pick<Checkpoint, 'fruitless' | 'resumes'>) => void) | undefined
  /** A run has saved its progress. */
  readonly checkpointed?: ((attempt: Attempt) => void) | undefined
  /** Keep completed jobs in the history. */
  readonly keepCompleted: boolean
  /** ms between two periodic checkpoints. */
  readonly checkpointEvery: number
  /** Its code is still going at its hard limit: whoever can stop it, must. */
  readonly hardStop?: (attempt: Attempt, error: Error) => void
  /** The event loop has just been blocked, perhaps by others, whose time is not a run's own: nobody has said yet by whom. */
  readonly inDoubt?: () => boolean
  /** Whether other jobs of a queue would have to wait for a slot of this worker. */
  readonly crowded: (queue: string) => boolean
}
