import type { InterruptReason } from '../../model/outcome.ts'
import type { SettlePlan } from '../../model/settle-plan.ts'
import type { Asked } from '../../store/checkpoints.ts'
import type { Claimed } from '../../store/claims.ts'

/** What a cell must know before its first run. */
export interface Boot {
  /** The file whose default export is the app. */
  readonly appFile: string
  readonly url: string
  readonly schema: string
  /** ms that a transaction may wait for its next statement. */
  readonly idleTimeout: number
  readonly keepCompleted: boolean
  /** ms between two periodic checkpoints. */
  readonly checkpointEvery: number
}

/** From the worker to a cell. All of it is plain JSON: it crosses a pipe. */
export type Order =
  | { readonly kind: 'boot'; readonly boot: Boot }
  /** `worker`: who holds the job. The limits are the worker's own: it knows what the app, the queue and the shutdown budget say. */
  | { readonly kind: 'run'; readonly job: Claimed; readonly worker: number; readonly softLimit: number | undefined }
  | {
      readonly kind: 'interrupt'
      readonly reason: InterruptReason
      readonly now: boolean
      /** Of ours, if the reason has an error of its own. */
      readonly error: { readonly code: string; readonly message: string } | undefined
      readonly asked: SentAsked | undefined
    }
  /** Other jobs wait for the slot of this one, or do not wait any more. */
  | { readonly kind: 'crowded'; readonly crowded: boolean }

export interface SentAsked {
  readonly action: Asked['action']
  readonly reason: string
  readonly until: string | undefined
}

export interface RunKey {
  readonly job: string
  readonly task: string
  readonly run: number
}

export interface Ended {
  readonly kind: 'ended'
  /** Made where the error is still an error: the task's retry policy may look at its class. */
  readonly plan: SettlePlan
  /** Its completion has committed already. */
  readonly settled: boolean
  readonly where: string | undefined
  readonly asked: SentAsked | undefined
  /** Something was thrown where nobody caught it: the state of the cell is unknown, and it runs nothing more. */
  readonly spent: boolean
}

/** From a cell to the worker. */
export type Report =
  | { readonly kind: 'ready' }
  /** The app could not be loaded. */
  | { readonly kind: 'unfit'; readonly message: string }
  /** `late`: the run that says it had ended before. */
  | {
      readonly kind: 'log'
      readonly level: 'info' | 'warn' | 'error'
      readonly message: string
      readonly data: object | undefined
      readonly late: RunKey | undefined
    }
  /** Its progress was saved; not told of each that follows soon after another. */
  | { readonly kind: 'checkpoint' }
  /** A sign of life: an item is done. Not told of each. */
  | { readonly kind: 'alive' }
  | { readonly kind: 'progress'; readonly done: number; readonly total: number | undefined }
  | Ended

export function packAsked(asked: Asked | undefined): SentAsked | undefined {
  return asked && { action: asked.action, reason: asked.reason, until: asked.until?.toISOString() }
}

export function unpackAsked(sent: SentAsked | undefined): Asked | undefined {
  return sent && { ...sent, until: sent.until === undefined ? undefined : new Date(sent.until) }
}
