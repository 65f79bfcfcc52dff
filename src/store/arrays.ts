import type { When } from '../model/when.ts'

/**
 * Array literals for parameters, built here because node-pg quotes every element (20 % of a worker's time at 100,000 jobs/s).
 * Only for values that cannot contain a comma, quote, brace or backslash: numbers, booleans, UUIDs, our own words.
 */
export function plainArray(values: readonly (string | number | boolean | null)[]): string {
  return `{${values.map((value) => (value === null ? 'null' : value)).join(',')}}`
}

/** The same for names (tasks, queues), quoted, so that a queue called `null` stays a queue. */
export function nameArray(values: readonly string[]): string {
  return values.length === 0 ? '{}' : `{"${values.join('","')}"}`
}

/** Times as `enqueue` and `delay` take them: from now, or at. */
export function whenArrays(values: readonly (When | null)[]): [string, string] {
  return [
    plainArray(values.map((when) => (when?.kind === 'delay' ? when.ms : null))),
    plainArray(values.map((when) => (when?.kind === 'at' ? when.iso : null))),
  ]
}
