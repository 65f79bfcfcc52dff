/**
 * From the inputs of each older version to those of the next: `{ 1: (old: { id: number }) => ({ orderId: String(old.id) }) }` beside
 * `version: 2`. The last step gives what the schema takes. Steps are code of the worker, run before the schema; what is stored stays.
 */
export type Upgrades<V extends number, In> = Steps<V, In, unknown>

/** The same for the cursor of an iteration that goes on under newer code; where a step is missing, the cursor stays as it is. */
export type CursorUpgrades<V extends number> = Steps<V, unknown, unknown>

/** `version` is a plain number, or one that no chain of steps reaches: any key will do, and is checked at start. */
type Steps<V extends number, Last, Other> = number extends V
  ? AnySteps
  : V extends 1
    ? { readonly [from: number]: 'holdfast: there is nothing before version 1, raise `version`' }
    : `${V}` extends Few
      ? { readonly [From in Before<V>]?: Step<From extends OneBefore<V> ? Last : Other> }
      : AnySteps
type AnySteps = { readonly [from: number]: Step<unknown> }
type Digit = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9
type Few = `${Exclude<Digit, 0>}` | `${Exclude<Digit, 0>}${Digit}`

/** A method's parameter may be narrower than `unknown`: whoever writes the step knows what the old code enqueued, the compiler does not. */
type Step<Out> = { step(old: unknown): Out | Promise<Out> }['step']

type Before<N extends number, T extends unknown[] = [unknown], Found extends number = never> = T['length'] extends N
  ? Found
  : Before<N, [...T, unknown], Found | T['length']>
type OneBefore<N extends number, T extends unknown[] = []> = [...T, unknown]['length'] extends N
  ? T['length']
  : OneBefore<N, [...T, unknown]>
