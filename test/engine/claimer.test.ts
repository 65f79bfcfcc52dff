import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { Claimer, type ClaimerOptions } from '../../src/engine/claim.ts'
import { Ledger } from '../../src/engine/ledger.ts'
import type { Claimed } from '../../src/store/claims.ts'
import { until } from '../support/until.ts'
import { fakeDatabase } from './fake-database.ts'

const open: Claimer[] = []
afterEach(async () => {
  for (const claimer of open.splice(0)) await claimer.stop()
})

/** A claimer before queues that hold so many ready jobs each. */
function claimerFor(ready: Record<string, number>, options: Partial<ClaimerOptions> = {}) {
  const held: Claimed[] = []
  const backlog = new Map(Object.entries(ready))
  let answering: Promise<void> = Promise.resolve()
  let position = 0
  const fake = fakeDatabase(async ({ values }) => {
    await answering
    const [, , queue, , most] = values as [number, number, string, string, number]
    const count = Math.min(most, backlog.get(queue) ?? 0)
    backlog.set(queue, (backlog.get(queue) ?? 0) - count)
    return Array.from({ length: count }, () => ({
      id: `${++position}`,
      run: 1,
      task: 't',
      lane: 1,
      priority: 5,
      position: `${position}`,
    }))
  })
  const claimer = new Claimer(
    {
      db: fake.db,
      takes: ['t'],
      queues: new Map(Object.keys(ready).map((queue) => [queue, 1_000])),
      concurrency: 100,
      pollInterval: 60_000,
      marks: [],
      unsettled: () => 0,
      onClaimed: (jobs) => void held.push(...jobs),
      onTrouble: () => {},
      ...options,
    },
    new Ledger(1, () => true),
  )
  open.push(claimer)
  return {
    claimer,
    held,
    backlog,
    /** Claims of a queue so far: how many jobs each asked for. */
    asked: (queue?: string) =>
      fake
        .of('claim')
        .filter(({ values }) => queue === undefined || values[2] === queue)
        .map(({ values }) => values[4] as number),
    count: (queue: string) => held.filter((job) => job.queue === queue).length,
    /** Lets `count` held jobs of a queue end. */
    free(queue: string, count = 1) {
      for (let n = 0; n < count; n++) {
        const at = held.findIndex((job) => job.queue === queue)
        if (at === -1) return
        held.splice(at, 1)
        claimer.freed(queue)
      }
    },
    /** Claims wait for their answer until the function that this gives is called. */
    hold(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>()
      answering = promise
      return resolve
    },
  }
}

test('claims to the free slots, and never beyond them', async () => {
  const { claimer, held, asked } = claimerFor({ a: 10_000 })
  claimer.start()
  await until(() => held.length === 100, { what: 'every slot is taken' })
  claimer.wakeAll()
  await sleep(20)
  expect(asked()).toEqual([100])
  expect(claimer.free).toBe(0)
})

test('waits until a quarter of the slots is free, but only for a moment', async () => {
  const { claimer, held, asked, free } = claimerFor({ a: 10_000 })
  claimer.start()
  await until(() => held.length === 100, { what: 'every slot is taken' })
  free('a', 24)
  await Promise.resolve()
  expect(asked()).toEqual([100])
  free('a', 1)
  await until(() => held.length === 100, { what: 'they are taken again' })
  expect(asked()).toEqual([100, 25])
  free('a', 1)
  await until(() => held.length === 100, { what: 'one is worth a claim after a moment' })
  expect(asked()).toEqual([100, 25, 1])
})

test('slots that come free together share a claim', async () => {
  const { claimer, held, asked, free } = claimerFor({ a: 10_000 })
  claimer.start()
  await until(() => held.length === 100, { what: 'every slot is taken' })
  for (let n = 0; n < 10; n++) free('a', 1)
  await until(() => held.length === 100, { what: 'they are taken again' })
  expect(asked()).toEqual([100, 10])
})

test('queues with work share the slots: none takes them all, none starves', async () => {
  const { claimer, held, count, free } = claimerFor({ a: 10_000, b: 10_000, c: 10_000 })
  claimer.start()
  await until(() => held.length === 100, { what: 'every slot is taken' })
  for (const queue of ['a', 'b', 'c']) expect(count(queue), queue).toBeGreaterThan(20)
  // Slots that come free one at a time, of whichever queue, go round.
  const before = { a: count('a'), b: count('b'), c: count('c') }
  for (let round = 0; round < 30; round++) {
    free('a', 1)
    await until(() => held.length === 100, { what: 'the slot is taken again' })
  }
  expect(count('b')).toBeGreaterThan(before.b + 5)
  expect(count('c')).toBeGreaterThan(before.c + 5)
})

test('a queue without work leaves its share to the others', async () => {
  const { claimer, held, count } = claimerFor({ a: 10_000, empty: 0, none: 0 })
  claimer.start()
  await until(() => held.length === 100, { what: 'every slot is taken' })
  expect(count('a')).toBe(100)
})

test('never runs more jobs of a queue than its own limit', async () => {
  const { claimer, held, count, free, asked } = claimerFor(
    { a: 10_000, b: 10_000 },
    {
      queues: new Map([
        ['a', 3],
        ['b', 1_000],
      ]),
    },
  )
  claimer.start()
  await until(() => held.length === 100, { what: 'every slot is taken' })
  expect(count('a')).toBe(3)
  free('b', 50)
  await until(() => held.length === 100, { what: 'they are taken again' })
  expect(count('a')).toBe(3)
  free('a', 1)
  await until(() => count('a') === 3, { what: 'its slot is taken again' })
  expect(Math.max(...asked('a'))).toBe(3)
  expect(claimer.isFull('a')).toBe(true)
})

test('runs that have ended and are not written yet bound what is claimed', async () => {
  let unsettled = 150
  const { claimer, held, asked } = claimerFor({ a: 10_000 }, { unsettled: () => unsettled })
  claimer.start()
  await until(() => held.length === 50, { what: 'half is claimed' })
  expect(asked()).toEqual([50])
  unsettled = 0
  claimer.settled()
  claimer.wakeAll()
  await until(() => held.length === 100, { what: 'the rest is claimed' })
})

test('claims nothing while it is held, and looks everywhere when it is let go', async () => {
  const { claimer, held, asked, backlog } = claimerFor({ a: 0 })
  claimer.start()
  await until(() => asked().length === 1, { what: 'it looked' })
  claimer.hold(true)
  backlog.set('a', 5)
  claimer.wake('a')
  await sleep(20)
  expect(held).toEqual([])
  claimer.hold(false)
  await until(() => held.length === 5, { what: 'they are claimed' })
})

test('a hint that comes while a claim is on its way is not lost', async () => {
  const { claimer, held, hold, backlog, asked } = claimerFor({ a: 0 })
  const answer = hold()
  claimer.start()
  await until(() => asked().length === 1, { what: 'it asks' })
  claimer.wake('a')
  answer()
  backlog.set('a', 0)
  await until(() => asked().length === 2, { what: 'it asks again' })
  expect(held).toEqual([])
})

test('stop waits for the claims on their way, and begins no other', async () => {
  const { claimer, held, hold, asked } = claimerFor({ a: 10, b: 10 })
  const answer = hold()
  claimer.start()
  await until(() => asked().length === 2, { what: 'it asks' })
  let stopped = false
  const stopping = claimer.stop().then(() => {
    stopped = true
  })
  await sleep(20)
  expect(stopped).toBe(false)
  answer()
  await stopping
  expect(held).toHaveLength(20)
  claimer.wakeAll()
  await sleep(20)
  expect(asked()).toHaveLength(2)
})

test('a claim without an answer frees its slots', async () => {
  let broken = true
  const troubles: unknown[] = []
  const fake = fakeDatabase(() => {
    if (broken) throw new Error('no answer')
    return []
  })
  const claimer = new Claimer(
    {
      ...{ db: fake.db, takes: ['t'], queues: new Map([['a', 10]]), concurrency: 10, pollInterval: 60_000, marks: [] },
      ...{ unsettled: () => 0, onClaimed: () => {}, onTrouble: (error) => troubles.push(error) },
    },
    new Ledger(1, () => true),
  )
  open.push(claimer)
  claimer.start()
  await until(() => troubles.length === 1, { what: 'it failed' })
  expect(claimer.free).toBe(10)
  broken = false
  claimer.wakeAll()
  await until(() => fake.of('claim').length === 2, { what: 'it asks again' })
})

test('what a claim in vain has read, the ones after it do not read again', async () => {
  let slow = true
  const fake = fakeDatabase(async ({ name }) => {
    if (name === 'read_floor') return [{ floor: '700', permit: '1' }]
    if (slow) await sleep(30)
    return []
  })
  const claimer = new Claimer(
    {
      ...{ db: fake.db, takes: ['t'], queues: new Map([['a', 10]]), concurrency: 10, pollInterval: 60_000, marks: [] },
      ...{ unsettled: () => 0, onClaimed: () => {}, onTrouble: () => {} },
    },
    new Ledger(1, () => true),
  )
  open.push(claimer)
  const marksOf = (call = 0) => new Set(String(fake.of('claim')[call]?.values[7]).match(/\d+/g))
  claimer.start()
  await until(() => fake.of('read_floor').length === 1 && claimer.free === 10, { what: 'it asks for the floor' })
  slow = false
  claimer.wakeAll()
  await until(() => fake.of('claim').length === 2 && claimer.free === 10, { what: 'a second claim' })
  // Only a claim that began when the floor was known may rely on it.
  expect(marksOf(1)).toEqual(new Set(['0']))
  expect(claimer.risenMarks()).toHaveLength(20)
  claimer.wakeAll()
  await until(() => fake.of('claim').length === 3, { what: 'a third claim' })
  expect(marksOf(2)).toEqual(new Set(['700']))
  // A quick one has not read much: there is nothing to skip.
  expect(fake.of('read_floor')).toHaveLength(2)
})

test.for([
  ['held', []],
  ['held and let go again', [{ floor: '900', permit: '2' }]],
] as const)('what a claim has not found while its worker was %s may be there all the same', async ([, after]) => {
  const answers = [[{ floor: '700', permit: '1' }], after, after]
  const fake = fakeDatabase(async ({ name }) => {
    if (name === 'read_floor') return [...(answers.shift() ?? [])]
    await sleep(30)
    return []
  })
  const claimer = new Claimer(
    {
      ...{ db: fake.db, takes: ['t'], queues: new Map([['a', 10]]), concurrency: 10, pollInterval: 60_000, marks: [] },
      ...{ unsettled: () => 0, onClaimed: () => {}, onTrouble: () => {} },
    },
    new Ledger(1, () => true),
  )
  open.push(claimer)
  claimer.start()
  for (const claims of [1, 2]) {
    await until(() => fake.of('claim').length === claims && claimer.free === 10, { what: 'a claim' })
    expect(fake.of('read_floor')).toHaveLength(claims)
    claimer.wakeAll()
  }
  expect(claimer.risenMarks()).toEqual([])
})
