import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Waker } from '../../src/engine/wake.ts'
import { fakeDatabase } from './fake-database.ts'

test('the first wake-up goes at once, a storm becomes one a pause', async () => {
  const { db, of } = fakeDatabase()
  const waker = new Waker(db)
  waker.wake('a')
  expect(of('wake')).toHaveLength(1)
  const began = performance.now()
  for (let n = 0; n < 1_000; n++) waker.wake('a')
  await sleep(30)
  for (let n = 0; n < 1_000; n++) waker.wake('a')
  await sleep(30)
  const pauses = (performance.now() - began) / 10
  expect(of('wake').length).toBeGreaterThanOrEqual(3)
  expect(of('wake').length).toBeLessThanOrEqual(pauses + 2)
})

test('queues do not hold each other up', async () => {
  const { db, of } = fakeDatabase()
  const waker = new Waker(db)
  for (const queue of ['a', 'b', 'c']) waker.wake(queue)
  expect(of('wake').map(({ values }) => values[1])).toEqual(['a', 'b', 'c'])
  await waker.close()
})

test('closing sends what is pending; a failure is nobody’s trouble', async () => {
  const { db, of } = fakeDatabase(() => {
    throw new Error('down')
  })
  const waker = new Waker(db)
  waker.wake('a')
  waker.wake('a')
  waker.wake('b')
  waker.wake('b')
  await waker.close()
  expect(of('wake').map(({ values }) => values[1])).toEqual(['a', 'b', 'a', 'b'])
})
