import type { Schema, SchemaInput } from './schema.ts'

type Primitive = string | number | boolean | null
// biome-ignore lint/suspicious/noExplicitAny: a parameter list that every function type is assignable to
type AnyFunction = (...args: any[]) => unknown

/** What `T` looks like after `JSON.stringify` and `JSON.parse`: what every later reader really gets. */
export type Json<T> = unknown extends T
  ? T
  : T extends Primitive | undefined
    ? T
    : T extends void
      ? undefined
      : T extends { toJSON(): infer R }
        ? Json<R>
        : T extends AnyFunction | symbol | bigint
          ? never
          : { [K in keyof T]: Json<T[K]> }

/**
 * The paths in `T` that JSON cannot carry, as sentences: `input.when is a Date`.
 * `Depth` ends the walk through a recursive type; what lies deeper is checked when the job is enqueued.
 */
type NotJson<T, Path extends string, Depth extends readonly unknown[] = []> = Depth['length'] extends 6
  ? never
  : unknown extends T
    ? never
    : T extends Primitive | undefined
      ? never
      : T extends bigint
        ? `${Path} is a bigint`
        : T extends symbol
          ? `${Path} is a symbol`
          : T extends Date
            ? `${Path} is a Date`
            : T extends ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
              ? `${Path} is a Map or Set`
              : T extends AnyFunction
                ? `${Path} is a function`
                : T extends readonly (infer Item)[]
                  ? NotJson<Item, `${Path}[]`, [...Depth, unknown]>
                  : T extends object
                    ? {
                        [K in keyof T & string]-?: NotJson<
                          Exclude<T[K], undefined>,
                          `${Path}.${K}`,
                          [...Depth, unknown]
                        >
                      }[keyof T & string]
                    : never

/**
 * `unknown` when the schema's input survives JSON; otherwise a type that no schema has, so that the compiler
 * refuses the schema and its message names the path. A schema whose input is `unknown` (`z.coerce`) escapes;
 * the same rule is checked again on every enqueue.
 */
export type CheckInput<S extends Schema> = [NotJson<SchemaInput<S>, 'input'>] extends [never]
  ? unknown
  : { readonly 'holdfast: a job input travels as JSON': NotJson<SchemaInput<S>, 'input'> }
