import { Snooze } from '../../model/control.ts'
import type { Duration } from '../../model/duration.ts'
import { HoldfastError } from '../../model/errors.ts'
import { show } from '../../model/show.ts'
import { parseWhen } from '../../model/when.ts'
import type { Source, SourceContext, SourceItem } from '../source.ts'
import { orAborted, waitOrSnooze } from './abort.ts'
import { requireFunction } from './check.ts'
import { cursorCount, cursorObject, mismatch } from './cursor.ts'

/** One answer of a paged API. */
export interface Page<Item, Token> {
  readonly items: readonly Item[]
  /** What to ask for next; `undefined` or `null` after the last page. */
  readonly next: Token | undefined | null
  /**
   * The API wants to be left alone for a while (429, `Retry-After`, an exhausted quota). The items of this answer are
   * worked on first. An answer with `retryAfter` and no items means "not now": the same page is asked for again.
   */
  readonly retryAfter?: Duration | Date | undefined
}

type Position<Token> = { readonly page: Token | undefined; readonly done: number } | { readonly end: true }

/**
 * The items of an API that answers page by page. The cursor is the page's token and the number of its items that are
 * done.
 *
 * A run that stops in the middle of a page asks for this page again and skips the items done, so a page should answer
 * the same when asked twice; a token that names a position (`starting_after`, a keyset) does, a page number over
 * changing data does not. With `retryAfter` of more than a second the job gives its slot back until then instead of
 * sleeping on it.
 *
 * @param fetch asks for one page; `undefined` for the first. Give it the signal. What it throws fails the run.
 */
export function pages<Item, Token extends string | number>(
  fetch: (token: Token | undefined, signal: AbortSignal) => Promise<Page<Item, Token>>,
): Source<Item> {
  requireFunction('The argument of pages()', fetch)
  const name = 'pages'
  return { name, open: (cursor, context) => walk(name, fetch, parsePosition<Token>(name, cursor), context) }
}

async function* walk<Item, Token extends string | number>(
  name: string,
  fetch: (token: Token | undefined, signal: AbortSignal) => Promise<Page<Item, Token>>,
  from: Position<Token>,
  context: SourceContext,
): AsyncGenerator<SourceItem<Item>, void> {
  let at = from
  while (!('end' in at)) {
    context.signal.throwIfAborted()
    const { page, done } = at
    const answer = checkAnswer(name, page, await orAborted(fetch(page, context.signal), context.signal))
    const { items, next, retryAfter } = answer
    const after: Position<Token> = next === undefined || next === null ? { end: true } : { page: next, done: 0 }
    if (done > items.length)
      context.warn(`${describe(page)} has ${items.length} items, but ${done} of them are done: it has changed`)
    for (let index = done; index < items.length; index++) {
      context.signal.throwIfAborted()
      yield { item: items[index] as Item, cursor: index + 1 < items.length ? positionIn(page, index + 1) : after }
    }
    const notNow = retryAfter !== undefined && items.length === 0
    if (!notNow) at = after
    if (retryAfter !== undefined && !('end' in at)) await leaveAlone(retryAfter, context)
  }
}

/** A date is compared with the database's clock only, so it always gives the slot back. */
async function leaveAlone(retryAfter: Duration | Date, context: SourceContext): Promise<void> {
  const when = parseWhen(retryAfter, '`retryAfter` of a page')
  if (when.kind === 'at') throw new Snooze(retryAfter)
  await waitOrSnooze(when.ms, context)
}

/** Answers come from code that maps somebody's JSON, so they are looked at. */
function checkAnswer<Item, Token>(name: string, page: Token | undefined, answer: Page<Item, Token>): Page<Item, Token> {
  const wrong = (what: string) =>
    new HoldfastError('HF_SOURCE_FORMAT', `The source «${name}»: ${describe(page)} ${what}`)
  if (typeof answer !== 'object' || answer === null)
    throw wrong(`is ${show(answer)}, not an object with items and next`)
  const { items, next } = answer
  if (!Array.isArray(items)) throw wrong(`has ${show(items)} as items, not an array`)
  if (next === undefined || next === null) return answer
  if (typeof next !== 'string' && !Number.isSafeInteger(next))
    throw wrong(`has ${show(next)} as next, not a string or whole number`)
  const notNow = answer.retryAfter !== undefined && items.length === 0
  if (next === page && !notNow) throw wrong('names itself as the next page, so it would be read for ever')
  return answer
}

function describe(page: unknown): string {
  return page === undefined ? 'the first page' : `page ${show(page)}`
}

function positionIn<Token>(page: Token | undefined, done: number): { page?: Token; done: number } {
  return page === undefined ? { done } : { page, done }
}

function parsePosition<Token>(name: string, cursor: unknown): Position<Token> {
  if (cursor === undefined) return { page: undefined, done: 0 }
  const { end, page, done } = cursorObject(name, cursor, ['page?', 'done?', 'end?'])
  if (end === true && page === undefined && done === undefined) return { end }
  if (page !== undefined && typeof page !== 'string' && typeof page !== 'number')
    throw mismatch(name, cursor, 'page is not a token')
  return { page: page as Token | undefined, done: cursorCount(name, cursor, done, 'done') }
}
