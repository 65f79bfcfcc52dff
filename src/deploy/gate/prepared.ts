import type { DeployRequirement } from '../../store/deploys.ts'
import type { Offender } from './offender.ts'

/** How a preparation ended. Plain JSON. */
export interface Prepared {
  readonly passed: boolean
  readonly number: number
  readonly token: string
  /** null: the token alone tells new workers apart. */
  readonly build: string | null
  readonly require: DeployRequirement
  readonly workers: number
  readonly waitedMs: number
  /** Until the last worker had answered; null: not all have. */
  readonly heardMs: number | null
  /** Names of workers that did not answer. They are held all the same. */
  readonly unheard: readonly string[]
  /** Workers that stopped answering meanwhile, and how many jobs they ran: these are given to others, and the processes may be alive. */
  readonly vanished: readonly { readonly name: string; readonly jobs: number }[]
  /** Jobs that went on running, because they can be interrupted at any moment. */
  readonly interruptible: number
  /** Passed: when the hold ends. */
  readonly holdUntil: Date | null
  /** Not passed: why. */
  readonly why: string | null
  /** Not passed: why workers may be held all the same, for a while; null: they are not. */
  readonly stillHeld: string | null
  readonly offenders: readonly Offender[]
}

/** What of it is kept with the deploy. */
export function reportOf({
  workers,
  waitedMs,
  heardMs,
  unheard,
  vanished,
  interruptible,
  offenders,
}: Prepared): object {
  return { workers, waitedMs, heardMs, unheard, vanished, interruptible, offenders }
}
