import { isId } from '../engine/ids.ts'
import { suggestion } from '../model/name.ts'
import { STATE_CODES, type StateName } from '../store/codes.ts'
import { UsageError } from './failure.ts'

export function checkId(id: string): string {
  if (!isId(id))
    throw new UsageError(`'${id}' is not the id of a job: they look like 0197a2b4-3c5d-7e6f-8a9b-0c1d2e3f4a5b.`)
  return id
}

export function wholeNumber(text: string, least: number, most: number, what: string): number {
  const n = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (n >= least && n <= most) return n
  throw new UsageError(`${what} must be a whole number from ${least} to ${most}, not '${text}'.`)
}

const ALL = Object.keys(STATE_CODES) as StateName[]
const GROUPS: Readonly<Record<string, readonly StateName[]>> = {
  live: ALL.filter((name) => STATE_CODES[name] < 20),
  waiting: ALL.filter((name) => STATE_CODES[name] >= 10 && STATE_CODES[name] < 20),
  ended: ALL.filter((name) => STATE_CODES[name] >= 20),
  running: ['running', 'started'],
}

/** `failed`, `waiting,running`: names of states, and of groups of them. */
export function statesOf(names: string | undefined): StateName[] | undefined {
  if (names === undefined) return undefined
  const words = [...new Set([...Object.keys(GROUPS), ...ALL])]
  return names.split(',').flatMap((name) => {
    const state = name.trim()
    const found = Object.hasOwn(GROUPS, state) ? GROUPS[state] : ALL.filter((each) => each === state)
    if (found === undefined || found.length === 0) {
      throw new UsageError(`There is no state '${state}'.${suggestion(state, words)} States: ${words.join(', ')}`)
    }
    return found
  })
}
