import { controlOf } from './control.ts'
import type { Death } from './death.ts'
import type { When } from './when.ts'

/** Why a run had to stop: what its `signal.reason` is. */
export type InterruptReason =
  /** A stop signal: most often, a new build replaces this worker. */
  | 'deploy'
  /** The platform wants fewer workers. A stop signal does not say so; whoever asks the platform can. */
  | 'scale-in'
  /** This worker empties itself, and nobody said why: its supervisor is gone, or something in its process failed that was no job. */
  | 'drain'
  /** The run took longer than its time limit. That is a failure. */
  | 'limit'
  /** It finished no item for too long. That is a failure. */
  | 'stall'
  /** Something that it had started threw, where nobody could catch it. That is a failure, of this job alone. */
  | 'fault'
  /** Another job made its worker useless: the process is replaced. */
  | 'replace'
  /** A person, or code, cancelled the job. */
  | 'cancel'
  /** A person paused the job. */
  | 'pause'
  /** The job belongs to another worker now: whatever this run writes is refused. */
  | 'lease-lost'

/**
 * How a run ended. Every way out of user code ends in one of these: return, throw, time limit, stop signal, lost lease.
 * A run whose whole worker died has none: whoever saw it die gives its jobs back.
 */
export type Outcome =
  /** `result` is JSON text; null: none. */
  | { readonly kind: 'completed'; readonly result: string | null }
  /** Left its slot to others at a checkpoint, and goes on at once where there is room. */
  | { readonly kind: 'yielded' }
  /** `reason`: it was not its code that wanted to wait. */
  | { readonly kind: 'snoozed'; readonly until: When; readonly reason?: string }
  /** `retry`: by the task's policy, not at all, or at a moment that the code asked for. */
  | { readonly kind: 'failed'; readonly error: unknown; readonly retry: 'policy' | 'never' | When }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'interrupted'; readonly reason: InterruptReason }
  /** The process of its own that it ran in died. `alone`: it was the only run that this process ever had. */
  | { readonly kind: 'crashed'; readonly death: Death; readonly alone: boolean }
  /** Nobody knows whether the code ran. */
  | { readonly kind: 'lost' }
  /** Its `expires` had passed when it was claimed; the code did not run. */
  | { readonly kind: 'expired' }

/** What a throw from user code means, when nothing else had stopped the run. */
export function outcomeOfThrow(thrown: unknown): Outcome {
  const control = controlOf(thrown)
  switch (control?.kind) {
    case 'discard':
      return { kind: 'failed', error: thrown, retry: 'never' }
    case 'retry-after':
      return { kind: 'failed', error: thrown, retry: control.when }
    case 'snooze':
      return { kind: 'snoozed', until: control.when }
    default:
      return { kind: 'failed', error: thrown, retry: 'policy' }
  }
}
