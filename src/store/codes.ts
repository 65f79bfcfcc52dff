/** The numbers of the states in the database; `model/states.ts` holds their meaning and legal moves. */
export const STATE_CODES = {
  ready: 0,
  running: 1,
  started: 2,
  scheduled: 10,
  retrying: 11,
  snoozed: 12,
  paused: 13,
  parked: 14,
  completed: 20,
  failed: 21,
  cancelled: 22,
  expired: 23,
  lost: 24,
  interrupted: 25,
} as const

export type StateName = keyof typeof STATE_CODES

const NAMES = new Map<number, StateName>(Object.entries(STATE_CODES).map(([name, code]) => [code, name as StateName]))

export function stateName(code: number): StateName {
  return NAMES.get(code) ?? 'ready'
}
