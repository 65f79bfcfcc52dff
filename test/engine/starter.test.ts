import { expect, test } from 'vitest'
import type { Attempt } from '../../src/engine/attempt.ts'
import { Ledger } from '../../src/engine/ledger.ts'
import { Starter } from '../../src/engine/start.ts'
import { HoldfastError } from '../../src/model/errors.ts'
import { fakeDatabase } from './fake-database.ts'

function attemptOf(id: string, held = () => true): Attempt {
  return { job: { id, run: 1 }, ledger: new Ledger(1, held) } as Attempt
}

const DOWN = new HoldfastError('HF_DATABASE_DOWN', 'gone')

test('runs that start together share a statement, and each hears of its own job', async () => {
  const fake = fakeDatabase(() => [{ id: 'a' }])
  const starter = new Starter(fake.db)
  expect(await Promise.all([starter.start(attemptOf('a')), starter.start(attemptOf('b'))])).toEqual([true, false])
  expect(fake.calls.map(({ name }) => name)).toEqual(['start'])
})

test.for([
  ['an answer that was lost', DOWN],
  ['a server that refuses this client for a while', new HoldfastError('HF_DATABASE_REFUSED', 'password')],
  ['a deadlock', Object.assign(new Error('deadlock'), { code: '40P01' })],
] as const)(
  '%s is no reason to lose the job: the start is sent again, and what stands is read after that',
  async ([, error]) => {
    let failing = 2
    const fake = fakeDatabase(({ name }) => {
      if (failing-- > 0) throw error
      return name === 'start' ? [{ id: 'again' }] : [{ id: 'stands', started: true }]
    })
    const starter = new Starter(fake.db)
    const ids = ['again', 'stands', 'neither']
    expect(await Promise.all(ids.map((id) => starter.start(attemptOf(id))))).toEqual([true, true, false])
    expect(fake.calls.map(({ name }) => name)).toEqual(['start', 'start', 'start', 'read_start'])
  },
)

test('what the server will never have is an error, and a start without a lease none at all', async () => {
  const broken = Object.assign(new Error('syntax'), { code: '42601' })
  await expect(
    new Starter(
      fakeDatabase(() => {
        throw broken
      }).db,
    ).start(attemptOf('a')),
  ).rejects.toBe(broken)
  let held = true
  const lost = fakeDatabase(() => {
    held = false
    throw DOWN
  })
  expect(await new Starter(lost.db).start(attemptOf('a', () => held))).toBe(false)
})
