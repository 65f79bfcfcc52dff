/** The numbers of the states, as `store/codes.ts` has them: a slip there must not hide behind itself. */
export const S = {
  ...{ ready: 0, running: 1, started: 2, retrying: 11, snoozed: 12, paused: 13, parked: 14, scheduled: 10 },
  ...{ completed: 20, failed: 21, cancelled: 22, expired: 23, lost: 24, interrupted: 25 },
} as const

export interface Job {
  readonly id: string
  readonly task: string
  version: number
  readonly priority: number
  state: number
  run: number
  lane: number
  /** null: drawn by the last operation, not yet read from the database. */
  position: number | null
  worker: number | null
  failures: number
  interruptions: number
  losses: number
  crashes: number
  /** Saved progress; null: none. */
  items: number | null
  /** The last run that moved its cursor on; 0: none. */
  moved: number
  once: boolean
}

export interface Fence {
  readonly id: string
  readonly run: number
  readonly worker: number
  readonly claim: number
}

/** One incarnation: what the database knows of it, and what its process believes that it holds. */
export interface Worker {
  readonly key: number
  /** As claims are given them: `a`, and `a@2` for version 2. */
  readonly tasks: readonly string[]
  alive: boolean
  lease: 'held' | 'expired' | 'gone'
  claims: number
  readonly open: Map<number, Set<string>>
}

export function waits(state: number): boolean {
  return state >= S.scheduled && state <= S.parked
}

export const RUNNING: readonly number[] = [S.running, S.started]
/** What giving a job back changes. */
export const FRONT = { state: S.ready, lane: 0, position: null, worker: null }
/** What a new job has not. */
export const NONE = { interruptions: 0, losses: 0, crashes: 0, items: null, moved: 0, once: false }
