import { describe, expect, test } from 'vitest'
import { isSnooze, Snooze } from '../../../src/model/control.ts'
import { array, batches, iterable, nested, range, throttled } from '../../../src/sources.ts'
import type { Source } from '../../../src/tasks/source.ts'
import { collect, itemsOf, testContext, untilError } from './support.ts'

describe('array and range', () => {
  test('an array shorter than the cursor is refused', async () => {
    const { cursor } = (await collect(array([1, 2, 3])))[2]!
    expect((await untilError(array([1, 2]), cursor)).error).toMatchObject({ code: 'HF_SOURCE_CHANGED' })
    expect(await itemsOf(array([1, 2, 3, 4]), cursor)).toEqual([4])
  })

  test('an array keeps its literal types', async () => {
    const letters: ('a' | 'b')[] = await itemsOf(array(['a', 'b']))
    expect(letters).toEqual(['a', 'b'])
  })

  test('range takes `from` in and leaves `to` out, in both directions', async () => {
    expect(await itemsOf(range(2, 5))).toEqual([2, 3, 4])
    expect(await itemsOf(range(5, 2))).toEqual([])
    expect(await itemsOf(range(0, 10, 4))).toEqual([0, 4, 8])
    expect(await itemsOf(range(3, 0, -1))).toEqual([3, 2, 1])
    expect(await itemsOf(range(-1, 1))).toEqual([-1, 0])
  })

  test('partitions by step cover a range in near-equal parts', async () => {
    const parts = await Promise.all([0, 1, 2].map((index) => itemsOf(range(index, 10, 3))))
    expect(parts.map((part) => part.length)).toEqual([4, 3, 3])
    expect(new Set(parts.flat())).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))
  })

  test('a new build may move the end of a range', async () => {
    const { cursor } = (await collect(range(0, 3)))[1]!
    expect(await itemsOf(range(0, 5), cursor)).toEqual([2, 3, 4])
    expect(await itemsOf(range(0, 1), cursor)).toEqual([])
  })

  test.each([
    [range(3, 6), { after: 1 }],
    [range(0, 6, 2), { after: 1 }],
  ])('a cursor that is not one of the numbers is refused', async (source, cursor) => {
    expect((await untilError(source, cursor)).error).toMatchObject({ code: 'HF_CURSOR_MISMATCH' })
  })

  test('both know their count', async () => {
    const context = testContext()
    expect(await array(['a', 'b']).count?.(context)).toBe(2)
    expect(await range(0, 10, 4).count?.(context)).toBe(3)
    expect(await range(5, 0).count?.(context)).toBe(0)
    expect(await batches(range(0, 10), 4).count?.(context)).toBe(3)
    expect(await throttled(range(0, 10), { limit: 1, per: '1ms' }).count?.(context)).toBe(10)
    expect(batches(iterable([1]), 2).count).toBeUndefined()
  })
})

describe('iterable', () => {
  test('a resume produces and skips what is done, and says what it cost', async () => {
    const context = testContext()
    let produced = 0
    const source = iterable(async function* () {
      for (; produced < 5; produced++) yield produced
    })
    expect(await itemsOf(source, { taken: 3 }, context)).toEqual([3, 4])
    expect(produced).toBe(5)
    expect(context.warnings).toEqual([
      expect.stringMatching(/^iterable\(\) has no position .* produced and skipped 3 items in \d+ ms/),
    ])
  })

  test('the first run warns of nothing', async () => {
    const context = testContext()
    await itemsOf(iterable([1, 2]), undefined, context)
    expect(context.warnings).toEqual([])
  })

  test('one that gives fewer items than were done is refused', async () => {
    expect((await untilError(iterable([1, 2]), { taken: 3 })).error).toMatchObject({ code: 'HF_SOURCE_CHANGED' })
  })

  test('a promise of an iterable, and an iterable of promises', async () => {
    expect(await itemsOf(iterable(async () => new Set(['a'])))).toEqual(['a'])
    expect(await itemsOf(iterable([Promise.resolve('a')]))).toEqual(['a'])
  })

  test('one that hangs is left behind when the signal aborts', async () => {
    const context = testContext()
    const source = iterable(async function* () {
      yield 1
      setImmediate(() => context.abort('deploy'))
      await new Promise(() => {})
    })
    await expect(collect(source, undefined, context)).rejects.toBe('deploy')
  })
})

describe('batches', () => {
  test('the cursor is that of the last item, so batches may be added, resized or taken away', async () => {
    const [first] = await collect(batches(range(0, 5), 2))
    expect(first).toEqual({ item: [0, 1], cursor: { after: 1 } })
    expect(await itemsOf(batches(range(0, 5), 3), first!.cursor)).toEqual([[2, 3, 4]])
    expect(await itemsOf(range(0, 5), first!.cursor)).toEqual([2, 3, 4])
  })

  test('a batch is a new array each time', async () => {
    const [first, second] = await itemsOf(batches(range(0, 4), 2))
    expect(first).not.toBe(second)
  })

  test.each([new Error('broken'), new Snooze('1m')])(
    'what was read before the source fails or snoozes comes first: %s',
    async (failure) => {
      const source = failingAfter(3, failure)
      const { items, last, error } = await untilError(batches(source, 2))
      expect(items).toEqual([[0, 1], [2]])
      expect(last).toBe(3)
      expect(error).toBe(failure)
    },
  )

  test('a half batch is dropped when the run is told to stop', async () => {
    const context = testContext()
    const source: Source<number> = {
      name: 'stops by returning',
      async *open(_cursor, { signal }) {
        for (let n = 0; !signal.aborted; n++) {
          if (n === 2) context.abort('deploy')
          yield { item: n, cursor: n + 1 }
        }
      },
    }
    const { items, error } = await untilError(batches(source, 100), undefined, context)
    expect({ items, error }).toEqual({ items: [], error: 'deploy' })
  })
})

/** A source that gives some items and then throws. */
function failingAfter(count: number, failure: Error): Source<number> {
  return {
    name: 'fails',
    async *open(cursor) {
      for (let n = Number(cursor ?? 0); n < count; n++) yield { item: n, cursor: n + 1 }
      throw failure
    },
  }
}

describe('nested', () => {
  const shops = ['a', 'b', 'c']
  const make = (names: readonly string[], opened: unknown[] = []) =>
    nested(keyed(names), (shop) => {
      const products = range(0, 3)
      const open: typeof products.open = (cursor, context) => {
        opened.push([shop, cursor])
        return products.open(cursor, context)
      }
      return { name: products.name, open }
    })

  test('a resume reads the outer item again and goes on inside, repeating nothing', async () => {
    const [, , , , fifth] = await collect(make(shops))
    expect(fifth).toEqual({ item: ['b', 1], cursor: { outer: 'a', at: 'b', inner: { after: 1 } } })
    const opened: unknown[] = []
    expect(await itemsOf(make(shops, opened), fifth!.cursor)).toEqual([
      ['b', 2],
      ['c', 0],
      ['c', 1],
      ['c', 2],
    ])
    expect(opened).toEqual([
      ['b', { after: 1 }],
      ['c', undefined],
    ])
  })

  test('when the outer item is gone, the next one is taken from its start: nothing of it is skipped', async () => {
    const context = testContext()
    const [, , , , fifth] = await collect(make(shops))
    expect(await itemsOf(make(['a', 'c']), fifth!.cursor, context)).toEqual([
      ['c', 0],
      ['c', 1],
      ['c', 2],
    ])
    expect(context.warnings).toEqual([expect.stringContaining('the outer item that the job was in is gone')])
  })

  test('outer items without inner items are passed over', async () => {
    const source = nested(range(0, 4), (n) => range(0, n % 2))
    expect(await itemsOf(source)).toEqual([
      [1, 0],
      [3, 0],
    ])
  })

  test('the cursor of three levels grows by one part a level', async () => {
    const source = nested(
      range(0, 2),
      () => range(0, 2),
      () => range(0, 2),
    )
    expect((await collect(source)).at(-1)?.cursor).toEqual({
      outer: { after: 0 },
      at: { after: 1 },
      inner: { outer: { after: 0 }, at: { after: 1 }, inner: { after: 1 } },
    })
  })

  test('an inner source that stops by returning does not end the outer item', async () => {
    const context = testContext()
    const source = nested(
      keyed(['a', 'b']),
      (): Source<number> => ({
        name: 'stops by returning',
        async *open(_cursor, { signal }) {
          for (let n = 0; n < 3 && !signal.aborted; n++) yield { item: n, cursor: n }
        },
      }),
    )
    const seen: unknown[] = []
    const iterate = async () => {
      for await (const { item } of source.open(undefined, context)) {
        seen.push(item)
        context.abort('deploy')
      }
    }
    await expect(iterate()).rejects.toBe('deploy')
    expect(seen).toEqual([['a', 0]])
  })

  test('an inner function that gives no source is refused', async () => {
    const source = nested(range(0, 1), (() => [1, 2]) as never)
    expect((await untilError(source)).error).toMatchObject({
      code: 'HF_CONFIG',
      message: expect.stringContaining('an array'),
    })
  })
})

/** Names in order, with the name itself as the cursor: like rows by key. */
function keyed(names: readonly string[]): Source<string> {
  return {
    name: 'names',
    async *open(cursor) {
      for (const name of names) if (cursor === undefined || name > String(cursor)) yield { item: name, cursor: name }
    },
  }
}

describe('throttled by rate', () => {
  test('spreads the items evenly', async () => {
    const times = [performance.now()]
    for await (const _ of throttled(range(0, 20), { limit: 100, per: '1s' }).open(undefined, testContext())) {
      times.push(performance.now())
    }
    // 19 gaps of 10 ms less 20 ms of slack. The machine may be slow at any moment, but the throttle may never be fast.
    expect(times.at(-1)! - times[0]!).toBeGreaterThan(165)
    for (let from = 1; from < times.length; from++) {
      const inFiftyMs = times.filter((time) => time >= times[from]! && time < times[from]! + 50)
      expect(inFiftyMs.length).toBeLessThanOrEqual(10)
    }
  })

  test('reaches rates for which timers are too coarse', { retry: 2 }, async () => {
    const began = performance.now()
    await itemsOf(throttled(range(0, 1_000), { limit: 5_000, per: '1s' }))
    const took = performance.now() - began
    expect(took).toBeGreaterThan(170)
    expect(took).toBeLessThan(1_000)
  })

  test('does not catch up on time that the consumer took', async () => {
    let released = 0
    let count = 0
    for await (const _ of throttled(range(0, 6), { limit: 20, per: '1s' }).open(undefined, testContext())) {
      if (count++ > 0) continue
      await new Promise((resolve) => setTimeout(resolve, 200))
      released = performance.now()
    }
    expect(performance.now() - released).toBeGreaterThan(170)
  })

  test('a gap of more than a second gives the slot back by a Snooze, at the cursor of the last item', async () => {
    const { items, last, error } = await untilError(throttled(range(0, 3), { limit: 10, per: '1m' }))
    expect({ items, last }).toEqual({ items: [0], last: { after: 0 } })
    expect(error).toMatchObject({ name: 'Snooze', message: expect.stringMatching(/in 5\d\d\dms/) })
    expect(await untilError(throttled(range(0, 3), { limit: 10, per: '1m' }), last)).toMatchObject({ items: [1] })
  })

  test('a wait ends at once when the signal aborts', async () => {
    const context = testContext()
    setTimeout(() => context.abort('deploy'), 20)
    const began = performance.now()
    await expect(collect(throttled(range(0, 9), { limit: 2, per: '1800ms' }), undefined, context)).rejects.toBe(
      'deploy',
    )
    expect(performance.now() - began).toBeLessThan(500)
  })
})

describe('throttled by a predicate', () => {
  test('is asked before every item; while it is true, the slot is given back', async () => {
    const lag = [false, false, true, false, false]
    const asked: boolean[] = []
    const replicaLags = () => {
      const answer = lag[asked.length]!
      asked.push(answer)
      return answer
    }
    const make = () => throttled(range(0, 3), { while: replicaLags, every: '30s' })
    const { items, last, error } = await untilError(make())
    expect(items).toEqual([0, 1])
    expect(error).toMatchObject({ name: 'Snooze', message: expect.stringContaining('30000ms') })
    expect(isSnooze(error)).toBe(true)
    expect(await itemsOf(make(), last)).toEqual([2])
    expect(asked).toEqual(lag)
  })

  test('may be asynchronous, and is asked again on the spot after a short time', async () => {
    const lag = [true, true, false, false]
    expect(await itemsOf(throttled(range(0, 1), { while: async () => lag.shift()!, every: '5ms' }))).toEqual([0])
    expect(lag).toEqual([])
  })

  test('by default the job stays away for 30 seconds', async () => {
    const { error } = await untilError(throttled(range(0, 1), { while: () => true }))
    expect(error).toMatchObject({ message: expect.stringContaining('30000ms') })
  })

  test('what the predicate throws is left as it is', async () => {
    const failure = new Error('no such replica')
    const source = throttled(range(0, 1), { while: () => Promise.reject(failure) })
    expect((await untilError(source)).error).toBe(failure)
  })

  test('nothing is read from the source while it is true', async () => {
    let read = 0
    const source = iterable(function* () {
      yield read++
    })
    await untilError(throttled(source, { while: () => true }))
    expect(read).toBe(0)
  })
})
