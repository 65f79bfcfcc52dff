import { HoldfastError } from './errors.ts'
import { show } from './show.ts'

/** A length of time: a number and a unit, as in `'500ms'`, `'20s'`, `'1.5m'`, `'2h'`, `'7d'`. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

/** The longest time that a node timer can wait; a longer one would fire at once. Clamp to it and arm again. */
export const MAX_TIMER_MS = 2 ** 31 - 1

const MILLISECONDS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
type Unit = keyof typeof MILLISECONDS

/** Ten years: longer than any wait that makes sense, and far inside what PostgreSQL and numbers hold exactly. */
export const MAX_DURATION_MS = 3_650 * MILLISECONDS.d

const PATTERN = /^(\d{1,15}(?:\.\d{1,15})?)(ms|s|m|h|d)$/

/**
 * Milliseconds, whole. `what` names the option in the message: `timeLimit of task send-receipt`.
 * @throws {HoldfastError} HF_DURATION for anything that is not a number and a unit, is negative, or is longer than ten years.
 */
export function parseDuration(value: string, what: string): number {
  const match = typeof value === 'string' ? PATTERN.exec(value) : null
  if (match === null) {
    throw new HoldfastError(
      'HF_DURATION',
      `${what} must be a number and a unit, like '20s' or '1.5h', not ${show(value)}`,
    )
  }
  const ms = Math.round(Number(match[1]) * MILLISECONDS[match[2] as Unit])
  if (ms > MAX_DURATION_MS)
    throw new HoldfastError('HF_DURATION', `${what} is ${value}: the longest is ten years, '3650d'`)
  return ms
}

/** For people: the two largest units, as in `2m 5s`, `3d 4h`, `1.2s`, `350ms`. Never parsed again. */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return '?'
  if (ms < 0) return `-${formatDuration(-ms)}`
  if (Math.round(ms) < 1_000) return `${Math.round(ms)}ms`
  if (Math.round(ms / 100) < 100) return `${Math.round(ms / 100) / 10}s`
  const seconds = Math.round(ms / 1_000)
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3_600) return twoUnits(seconds, 60, 'm', 's')
  const minutes = Math.round(seconds / 60)
  if (minutes < 1_440) return twoUnits(minutes, 60, 'h', 'm')
  return twoUnits(Math.round(minutes / 60), 24, 'd', 'h')
}

function twoUnits(count: number, size: number, large: string, small: string): string {
  const rest = count % size
  const whole = `${Math.floor(count / size)}${large}`
  return rest === 0 ? whole : `${whole} ${rest}${small}`
}
