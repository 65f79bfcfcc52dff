import { describe, expect, test } from 'vitest'
import {
  canMove,
  INITIAL_STATES,
  isTerminal,
  MOVES,
  STATES,
  type State,
  TERMINAL_STATES,
} from '../../src/model/states.ts'
import { STATE_CODES } from '../../src/store/codes.ts'

const BY_HAND = 'retry by hand'

/** Every state that can be reached from these without a person's retry. */
function reachable(from: readonly State[]): Set<State> {
  const seen = new Set<State>(from)
  for (const state of seen) {
    for (const move of MOVES) if (move.name !== BY_HAND && move.from.includes(state)) seen.add(move.to)
  }
  return seen
}

describe('the legal transitions', () => {
  test('reach every state', () => {
    expect([...reachable(INITIAL_STATES)].toSorted()).toEqual([...STATES].toSorted())
  })

  test('can all happen: they start from states that can be reached', () => {
    for (const move of MOVES) expect(move.from.length, move.name).toBeGreaterThan(0)
    expect(new Set(MOVES.map((move) => move.name)).size).toBe(MOVES.length)
  })

  test.each(STATES.filter((state) => !isTerminal(state)))('%s leads to an end, and can be cancelled', (state) => {
    expect([...reachable([state])].some(isTerminal)).toBe(true)
    expect(canMove(state, 'cancelled')).toBe(true)
  })

  test.each(TERMINAL_STATES)('nothing leads out of %s but a person', (state) => {
    const out = MOVES.filter((move) => move.from.includes(state))
    expect(out.map((move) => move.name)).toEqual(state === 'completed' ? [] : [BY_HAND])
    expect([...reachable([state])]).toEqual([state])
  })

  test('a started at-most-once job can only end', () => {
    expect([...reachable(['started'])].filter((state) => !isTerminal(state))).toEqual(['started'])
  })

  test('only a claim leads to running, and only from ready', () => {
    expect(STATES.filter((state) => canMove(state, 'running'))).toEqual(['ready'])
    expect(STATES.filter((state) => canMove(state, 'started'))).toEqual(['running'])
  })

  test.each<[State, State[]]>([
    ['ready', ['running', 'paused', 'parked', 'cancelled', 'expired']],
    [
      'running',
      [
        'ready',
        'started',
        'retrying',
        'snoozed',
        'paused',
        'parked',
        'completed',
        'failed',
        'cancelled',
        'expired',
        'lost',
      ],
    ],
    ['started', ['completed', 'failed', 'cancelled', 'expired', 'lost', 'interrupted']],
    ['scheduled', ['ready', 'paused', 'cancelled', 'expired']],
    ['retrying', ['ready', 'paused', 'cancelled', 'expired']],
    ['snoozed', ['ready', 'paused', 'cancelled', 'expired']],
    ['paused', ['ready', 'cancelled', 'expired']],
    ['parked', ['ready', 'paused', 'cancelled', 'expired']],
    ['completed', []],
    ['failed', ['ready']],
    ['cancelled', ['ready']],
    ['expired', ['ready']],
    ['lost', ['ready']],
    ['interrupted', ['ready']],
  ])('from %s: %j', (from, to) => {
    expect(STATES.filter((state) => canMove(from, state))).toEqual(to)
  })
})

test('the database has a number for every state, and for no other', () => {
  expect(Object.keys(STATE_CODES).toSorted()).toEqual([...STATES].toSorted())
  expect(new Set(Object.values(STATE_CODES)).size).toBe(STATES.length)
})
