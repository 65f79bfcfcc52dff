import type { When } from './when.ts'

/** Why a run was asked to stop; the reason of its AbortSignal. */
export type InterruptReason = 'deploy' | 'scale-in' | 'drain' | 'limit' | 'cancel' | 'pause' | 'lease-lost'

/**
 * How a run ended. Failures (the code threw or timed out), interruptions (a deploy, scale-in or drain stopped it) and losses (its worker
 * vanished) are told apart from here on, and never mixed.
 */
export type Outcome =
  /** The code returned. `result` is what it returned, not encoded yet. */
  | { readonly kind: 'completed'; readonly result: unknown }
  /** It completed inside its own transaction: nothing is left to write. */
  | { readonly kind: 'settled' }
  /** It gives its slot to others and goes on from its checkpoint. */
  | { readonly kind: 'yielded' }
  /** It comes back later, at no cost. */
  | { readonly kind: 'snoozed'; readonly until: When; readonly reason: string | undefined }
  /** Somebody paused it; it rests at its checkpoint. */
  | { readonly kind: 'paused'; readonly until: When; readonly reason: string }
  /** `retry`: false when the code asked to be discarded; a moment when it named one. `where`: the item that it failed on. */
  | { readonly kind: 'failed'; readonly error: unknown; readonly retry: boolean | When; readonly where?: string }
  | { readonly kind: 'cancelled'; readonly reason: string }
  /** It was not started: its time had passed. */
  | { readonly kind: 'expired' }
  | { readonly kind: 'interrupted'; readonly reason: InterruptReason }
  /** The run no longer holds the job: nothing may be written. */
  | { readonly kind: 'lost' }
