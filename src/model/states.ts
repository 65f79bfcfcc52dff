/** Where a job can be. One job is in exactly one state; the database holds them as numbers (`store/codes.ts`). */
export const STATES = [
  /** Claimable now. */
  'ready',
  /** On a worker. */
  'running',
  /** On a worker, and its start is recorded: an at-most-once job in front of the code that must not run twice. */
  'started',
  /** Waits for its time. */
  'scheduled',
  /** Waits after a failure. */
  'retrying',
  /** Asked to come back later. */
  'snoozed',
  /** Stopped by a person, until a time. */
  'paused',
  /** Waits for something that no worker can do now: its task is unknown, its input does not fit, it is suspected of killing workers. */
  'parked',
  'completed',
  'failed',
  'cancelled',
  /** Its `expires` passed before it started. */
  'expired',
  /** Started at most once, and nobody knows how it ended. */
  'lost',
  /** Started at most once, and stopped by a deploy, scale-in or drain. */
  'interrupted',
] as const

export type State = (typeof STATES)[number]

/** What a job can be when it is made. */
export const INITIAL_STATES = ['ready', 'scheduled'] as const satisfies readonly State[]

export const TERMINAL_STATES = [
  'completed',
  'failed',
  'cancelled',
  'expired',
  'lost',
  'interrupted',
] as const satisfies readonly State[]

export type TerminalState = (typeof TERMINAL_STATES)[number]

interface Move {
  readonly name: string
  readonly from: readonly State[]
  readonly to: State
}

const WAITING = ['scheduled', 'retrying', 'snoozed', 'parked'] as const satisfies readonly State[]
const RESTING = ['ready', ...WAITING, 'paused'] as const satisfies readonly State[]

/**
 * Every legal transition. Nothing leads from `started` to a state in which the job could be claimed again: that is
 * invariant 3. Nothing leads out of an end, except a person's `holdfast jobs retry`.
 */
export const MOVES: readonly Move[] = [
  { name: 'claim', from: ['ready'], to: 'running' },
  { name: 'start', from: ['running'], to: 'started' },

  { name: 'complete', from: ['running', 'started'], to: 'completed' },
  { name: 'fail', from: ['running', 'started'], to: 'failed' },
  { name: 'interrupt', from: ['started'], to: 'interrupted' },
  { name: 'lose', from: ['running', 'started'], to: 'lost' },

  { name: 'hand back', from: ['running'], to: 'ready' },
  { name: 'retry', from: ['running'], to: 'retrying' },
  { name: 'snooze', from: ['running'], to: 'snoozed' },

  { name: 'promote', from: WAITING, to: 'ready' },
  { name: 'resume', from: ['paused'], to: 'ready' },
  { name: 'pause', from: ['running', 'ready', ...WAITING], to: 'paused' },
  { name: 'park', from: ['running', 'ready'], to: 'parked' },

  { name: 'cancel', from: ['running', 'started', ...RESTING], to: 'cancelled' },
  { name: 'expire', from: ['running', 'started', ...RESTING], to: 'expired' },

  { name: 'retry by hand', from: ['failed', 'cancelled', 'expired', 'lost', 'interrupted'], to: 'ready' },
]

/** Whether a job has ended: only a person brings it back. */
export function isTerminal(state: State): state is TerminalState {
  return (TERMINAL_STATES as readonly State[]).includes(state)
}

/** Whether some legal transition leads there. */
export function canMove(from: State, to: State): boolean {
  return MOVES.some((move) => move.to === to && move.from.includes(from))
}
