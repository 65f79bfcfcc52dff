import { isDeepStrictEqual } from 'node:util'
import type { Source, SourceContext, SourceItem } from '../source.ts'
import { requireFunction, requireSource } from './check.ts'
import { cursorObject } from './cursor.ts'

/**
 * For each item of `outer` the items of its own inner source: accounts and their orders. Gives `[outer item, inner
 * item]`.
 *
 * The cursor has a part per level: where the outer source stood *before* its item, to read that item again; what its
 * cursor was *after* it, to know it again; and the position in the inner source. A resume goes on inside the inner
 * source and repeats nothing. If the outer item is gone by then, the next one is taken from its start. An outer item
 * without inner items yields nothing.
 */
export function nested<A, B>(outer: Source<A>, inner: (a: A) => Source<B>): Source<readonly [A, B]>
/** The same over three levels: gives `[outer, inner, innermost]`. */
export function nested<A, B, C>(
  outer: Source<A>,
  inner: (a: A) => Source<B>,
  innermost: (a: A, b: B) => Source<C>,
): Source<readonly [A, B, C]>
export function nested(
  outer: Source<unknown>,
  inner: (a: unknown) => Source<unknown>,
  innermost?: (a: unknown, b: unknown) => Source<unknown>,
): Source<readonly unknown[]> {
  requireSource('The outer source of nested()', outer)
  requireFunction('`inner` of nested()', inner)
  if (innermost !== undefined) requireFunction('`innermost` of nested()', innermost)
  const name = `nested in ${outer.name}`
  return {
    name,
    open: (cursor, context) =>
      walk(name, outer, parsePosition(name, cursor), context, (a) => {
        const source = inner(a)
        requireSource('What `inner` of nested() returns', source)
        return innermost === undefined ? mapped(source, (b) => [a, b]) : below(a, source, innermost)
      }),
  }
}

/** Three levels are two levels, the lower of which has two levels again. */
function below(
  a: unknown,
  source: Source<unknown>,
  innermost: (a: unknown, b: unknown) => Source<unknown>,
): Source<readonly unknown[]> {
  return mapped(
    nested(source, (b) => innermost(a, b)),
    (pair) => [a, ...pair],
  )
}

interface Position {
  /** The outer source's cursor before its item. */
  readonly outer?: unknown
  /** The outer source's cursor after its item: its identity. */
  readonly at: unknown
  readonly inner: unknown
}

async function* walk(
  name: string,
  outer: Source<unknown>,
  from: Position | undefined,
  context: SourceContext,
  inside: (item: unknown) => Source<readonly unknown[]>,
): AsyncGenerator<SourceItem<readonly unknown[]>, void> {
  let before = from?.outer
  let resume = from
  for await (const { item, cursor: at } of outer.open(before, context)) {
    const same = resume !== undefined && isDeepStrictEqual(asJson(at), asJson(resume.at))
    if (resume !== undefined && !same)
      context.warn(`${name}: the outer item that the job was in is gone; it goes on with the next one`)
    for await (const below of inside(item).open(same ? resume?.inner : undefined, context)) {
      yield { item: below.item, cursor: cursorOf(before, at, below.cursor) }
    }
    // A source may answer an abort by returning: that is not its end.
    context.signal.throwIfAborted()
    before = at
    resume = undefined
  }
}

/** JSON has no `undefined`: the start of the outer source is a missing property. */
function cursorOf(outer: unknown, at: unknown, inner: unknown): Position {
  return outer === undefined ? { at, inner } : { outer, at, inner }
}

function asJson(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value))
}

function parsePosition(name: string, cursor: unknown): Position | undefined {
  if (cursor === undefined) return undefined
  const { outer, at, inner } = cursorObject(name, cursor, ['outer?', 'at', 'inner'])
  return { outer, at, inner }
}

function mapped<From, To>(source: Source<From>, change: (item: From) => To): Source<To> {
  return {
    name: source.name,
    async *open(cursor, context) {
      for await (const { item, cursor: after } of source.open(cursor, context))
        yield { item: change(item), cursor: after }
    },
  }
}
