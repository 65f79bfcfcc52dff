import { describe, expect, test } from 'vitest'
import { isSnooze } from '../../../src/model/control.ts'
import { batches, type Page, pages } from '../../../src/sources.ts'
import { collect, itemsOf, testContext, untilError } from './support.ts'

type Answer = Page<string, number>

/** An API that notes what it was asked for. */
function api(answers: Record<string, Answer | (() => Answer)>) {
  const asked: (number | undefined)[] = []
  const fetch = async (token: number | undefined): Promise<Answer> => {
    asked.push(token)
    const answer = answers[String(token)]!
    return typeof answer === 'function' ? answer() : answer
  }
  return { asked, fetch }
}

const TWO_PAGES = { undefined: { items: ['a', 'b', 'c'], next: 7 }, 7: { items: ['d', 'e'], next: null } }

describe('the cursor of pages', () => {
  test('is the token of the page and the items done in it', async () => {
    const items = await collect(pages(api(TWO_PAGES).fetch))
    expect(items.map(({ cursor }) => cursor)).toEqual([
      { done: 1 },
      { done: 2 },
      { page: 7, done: 0 },
      { page: 7, done: 1 },
      { end: true },
    ])
  })

  test('in the middle of a page: the page is fetched again, the items done are skipped', async () => {
    const { asked, fetch } = api(TWO_PAGES)
    expect(await itemsOf(pages(fetch), { page: 7, done: 1 })).toEqual(['e'])
    expect(asked).toEqual([7])
  })

  test('after a page: the next page is fetched, the finished one is not', async () => {
    const { asked, fetch } = api(TWO_PAGES)
    expect(await itemsOf(pages(fetch), { page: 7, done: 0 })).toEqual(['d', 'e'])
    expect(asked).toEqual([7])
  })

  test('after the last item: nothing is fetched', async () => {
    const { asked, fetch } = api(TWO_PAGES)
    expect(await itemsOf(pages(fetch), { end: true })).toEqual([])
    expect(asked).toEqual([])
  })

  test('a page that has become shorter than what is done: a warning, and on to the next', async () => {
    const context = testContext()
    expect(await itemsOf(pages(api(TWO_PAGES).fetch), { done: 9 }, context)).toEqual(['d', 'e'])
    expect(context.warnings).toEqual(['the first page has 3 items, but 9 of them are done: it has changed'])
  })
})

describe('retryAfter', () => {
  test('gives the slot back by a Snooze, after the items of the page', async () => {
    const { asked, fetch } = api({ ...TWO_PAGES, undefined: { ...TWO_PAGES.undefined, retryAfter: '30s' } })
    const { items, last, error } = await untilError(pages(fetch))
    expect(items).toEqual(['a', 'b', 'c'])
    expect(last).toEqual({ page: 7, done: 0 })
    expect(error).toMatchObject({ name: 'Snooze', message: expect.stringContaining('30000ms') })
    expect(isSnooze(error)).toBe(true)
    expect(asked).toEqual([undefined])
  })

  test('without items means "not now": the same page is asked for again', async () => {
    let busy = true
    const { fetch } = api({ ...TWO_PAGES, 7: () => (busy ? { items: [], next: 7, retryAfter: '1m' } : TWO_PAGES[7]) })
    const { last, error } = await untilError(pages(fetch))
    expect(isSnooze(error)).toBe(true)
    busy = false
    expect(await itemsOf(pages(fetch), last)).toEqual(['d', 'e'])
  })

  test('without items asks for the same page again, whatever it says comes next', async () => {
    let asked = 0
    const { fetch } = api({
      ...TWO_PAGES,
      undefined: () => (asked++ === 0 ? { items: [], next: null, retryAfter: '5ms' } : TWO_PAGES.undefined),
    })
    expect(await itemsOf(pages(fetch))).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  test('as a date is left to the database clock', async () => {
    const until = new Date('2030-01-01T00:00:00Z')
    const { error } = await untilError(pages(api({ undefined: { items: ['a'], next: 1, retryAfter: until } }).fetch))
    expect(isSnooze(error)).toBe(true)
  })

  test('of a second or less is waited for', async () => {
    const { fetch } = api({ ...TWO_PAGES, undefined: { ...TWO_PAGES.undefined, retryAfter: '20ms' } })
    const began = performance.now()
    expect(await itemsOf(pages(fetch))).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(performance.now() - began).toBeGreaterThanOrEqual(15)
  })

  test('after the last page is of no interest', async () => {
    expect(await itemsOf(pages(api({ undefined: { items: ['a'], next: null, retryAfter: '1h' } }).fetch))).toEqual([
      'a',
    ])
  })

  test('does not keep batches from making progress', async () => {
    const { fetch } = api({ ...TWO_PAGES, undefined: { ...TWO_PAGES.undefined, retryAfter: '30s' } })
    const { items, last } = await untilError(batches(pages(fetch), 100))
    expect(items).toEqual([['a', 'b', 'c']])
    expect(last).toEqual({ page: 7, done: 0 })
  })
})

describe('answers that cannot be right: HF_SOURCE_FORMAT, naming the page', () => {
  test.each([
    ['nothing', undefined, 'page 7 is undefined, not an object'],
    ['no list of items', { items: 'abc', next: null }, 'page 7 has "abc" as items'],
    ['a token that JSON changes', { items: [], next: 1.5 }, 'page 7 has 1.5 as next'],
    ['a token that is an object', { items: [], next: {} }, 'page 7 has an object as next'],
    ['a page that names itself as the next', { items: ['x'], next: 7 }, 'page 7 names itself as the next page'],
  ])('%s', async (_what, answer, message) => {
    const { error } = await untilError(pages(api({ ...TWO_PAGES, 7: answer as Answer }).fetch))
    expect(error).toMatchObject({ code: 'HF_SOURCE_FORMAT', message: expect.stringContaining(message) })
  })
})

test('what fetch throws is left as it is', async () => {
  const failure = new Error('502')
  const fetch = async (): Promise<Answer> => {
    throw failure
  }
  expect((await untilError(pages(fetch))).error).toBe(failure)
})

test('a fetch that hangs is left behind when the signal aborts, and gets the signal', async () => {
  const context = testContext()
  const seen: AbortSignal[] = []
  const hanging = pages((_token: number | undefined, signal) => {
    seen.push(signal)
    setImmediate(() => context.abort('deploy'))
    return new Promise<Answer>(() => {})
  })
  await expect(collect(hanging, undefined, context)).rejects.toBe('deploy')
  expect(seen).toEqual([context.signal])
})
