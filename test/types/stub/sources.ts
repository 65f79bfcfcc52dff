import type { Readable } from 'node:stream'
import type { Schema, SchemaOutput } from '../../../src/tasks/schema.ts'
import type { Source } from '../../../src/tasks/source.ts'

type Bytes = string | URL | ((offset: number, signal: AbortSignal) => Readable | Promise<Readable>)
export declare function csv(file: Bytes, options?: { delimiter?: string }): Source<Record<string, string>>
export declare function csv<S extends Schema>(
  file: Bytes,
  options: { row: S; delimiter?: string },
): Source<SchemaOutput<S>>
export declare function rows<Row extends object>(
  sql: string,
  options: { key: (keyof Row & string) | readonly (keyof Row & string)[]; params?: readonly unknown[] },
): Source<Row>
export declare function pages<Item, Token extends string | number>(
  fetch: (
    token: Token | undefined,
    signal: AbortSignal,
  ) => Promise<{ items: readonly Item[]; next: Token | undefined | null }>,
): Source<Item>
export declare function range(from: number, to: number): Source<number>
export declare function batches<I>(source: Source<I>, size: number): Source<readonly I[]>
export declare function nested<A, B>(outer: Source<A>, inner: (a: A) => Source<B>): Source<readonly [A, B]>
