import { expect, test } from 'vitest'
import { Turns } from '../../src/store/turns.ts'

function waitOf() {
  const said: string[] = []
  const controller = new AbortController()
  const wait = {
    begins: () => {
      said.push('begins')
      return controller.signal
    },
    ends: () => void said.push('ends'),
  }
  return { said, wait, abort: (reason: Error) => controller.abort(reason) }
}

/** A work that has a turn until it is let go. */
function occupy(turns: Turns): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const done = turns.take(() => promise)
  return () => {
    resolve()
    return done
  }
}

test('lets so many in, and the others in their order', async () => {
  const turns = new Turns(2)
  const [first, second] = [occupy(turns), occupy(turns)]
  const order: number[] = []
  const waiting = [1, 2, 3].map((n) => turns.take(async () => void order.push(n)))
  await Promise.resolve()
  expect(order).toEqual([])
  await first()
  await Promise.all(waiting)
  expect(order).toEqual([1, 2, 3])
  await second()
})

test('says when somebody has to wait, and when that is over; who does not wait says nothing', async () => {
  const turns = new Turns(1)
  const [at, late] = [waitOf(), waitOf()]
  const { promise, resolve } = Promise.withResolvers<void>()
  const first = turns.take(() => promise, at.wait)
  const second = turns.take(async () => 'done', late.wait)
  await Promise.resolve()
  expect(late.said).toEqual(['begins'])
  resolve()
  await first
  expect(await second).toBe('done')
  expect(late.said).toEqual(['begins', 'ends'])
  expect(at.said).toEqual([])
})

test('whoever stops waiting loses nobody a turn', async () => {
  const turns = new Turns(1)
  const free = occupy(turns)
  const [gone, goneBefore] = [waitOf(), waitOf()]
  goneBefore.abort(new Error('before'))
  const never = async () => {
    throw new Error('it was let in')
  }
  await expect(turns.take(never, goneBefore.wait)).rejects.toThrow('before')
  const leaving = turns.take(never, gone.wait)
  const next = turns.take(async () => 'next')
  gone.abort(new Error('stopped'))
  await expect(leaving).rejects.toThrow('stopped')
  expect(gone.said).toEqual(['begins', 'ends'])
  await free()
  expect(await next).toBe('next')
  expect(await turns.take(async () => 'free again')).toBe('free again')
})
