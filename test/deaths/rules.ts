import type { Found } from '../support/stage.ts'

/**
 * What becomes of a job whose run met a death: the rules of the design, written down a second time and without looking at the program.
 * There are four combinations of interruption mode and delivery: what starts at most once can neither be cut nor be resumed.
 */
export const MODES = ['finish', 'finish once', 'restart', 'resume'] as const
export type Mode = (typeof MODES)[number]

/** How its code lives: it would end in time; it ends only when it is told to; it does not even then. */
export const TEMPERS = ['short', 'long', 'deaf'] as const
export type Temper = (typeof TEMPERS)[number]

/** What ended a run. */
export type Fate =
  /** Nothing: it came to its end. */
  | 'completes'
  /** It was told to stop, and its code ended. */
  | 'handed off'
  /** It was told to stop, did not, and went with its process. */
  | 'taken along'
  /** Somebody killed its process, and that was seen. */
  | 'killed'
  /** Its process died of itself, and that was seen. */
  | 'crashes'
  /** The process that it had to itself died of itself. */
  | 'crashes apart'
  /** The process that it had to itself was killed by somebody. */
  | 'killed apart'
  /** Its worker vanished, and nobody saw how. */
  | 'is lost'
  /** Its code is to blame: it threw, or had to be stopped at its limit. */
  | 'fails'

/** Three counters that are never mixed, and the deaths that nobody saw. */
const COUNTED = {
  completes: {},
  'handed off': { interruptions: 1 },
  'taken along': { interruptions: 1 },
  killed: { interruptions: 1 },
  'killed apart': { interruptions: 1 },
  crashes: { crashes: 1 },
  'crashes apart': { crashes: 1 },
  'is lost': { losses: 1 },
  fails: { failures: 1 },
} as const satisfies Record<Fate, Partial<Found>>

/** Where what may start only once ends; all else is started again, and completes. */
const ENDS_ONCE = {
  completes: 'completed',
  'handed off': 'interrupted',
  'taken along': 'interrupted',
  killed: 'interrupted',
  'killed apart': 'interrupted',
  crashes: 'lost',
  'crashes apart': 'failed',
  'is lost': 'lost',
  fails: 'failed',
} as const satisfies Record<Fate, string>

/** What the trail calls the first run; undefined: of a run that completed it does not tell. */
export const OUTCOMES = {
  completes: undefined,
  'handed off': 'interrupted',
  'taken along': 'interrupted',
  killed: 'interrupted',
  'killed apart': 'interrupted',
  crashes: 'crashed',
  'crashes apart': 'crashed',
  'is lost': 'lost',
  fails: 'failed',
} as const satisfies Record<Fate, string | undefined>

export interface Expected {
  readonly state: string
  readonly run: number
  readonly failures: number
  readonly interruptions: number
  readonly crashes: number
  readonly losses: number
  /** How often its code began. */
  readonly begins: number
  readonly outcome: string | undefined
}

export function expectedOf(mode: Mode, fate: Fate): Expected {
  const again = fate !== 'completes' && mode !== 'finish once'
  return {
    ...{ failures: 0, interruptions: 0, crashes: 0, losses: 0, ...COUNTED[fate] },
    state: mode === 'finish once' ? ENDS_ONCE[fate] : 'completed',
    run: again ? 2 : 1,
    begins: again ? 2 : 1,
    outcome: OUTCOMES[fate],
  }
}

type Beside = (mode: Mode, temper: Temper) => Fate

/** A stop signal, mode hand-off: what must finish runs on and may end; the rest goes at once. */
export const handsOff: Beside = (mode, temper) => {
  if (temper === 'deaf') return 'taken along'
  return temper === 'short' && mode.startsWith('finish') ? 'completes' : 'handed off'
}

/** Mode finish: everything runs on, until the budget is nearly used. */
export const runsOn: Beside = (_, temper) =>
  temper === 'short' ? 'completes' : temper === 'long' ? 'handed off' : 'taken along'

/** Everything is told to stop at once: mode cold, and a process that is replaced. */
export const cut: Beside = (_, temper) => (temper === 'deaf' ? 'taken along' : 'handed off')

export const all =
  (fate: Fate): Beside =>
  () =>
    fate
