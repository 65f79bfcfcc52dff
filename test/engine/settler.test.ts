import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Ledger } from '../../src/engine/ledger.ts'
import { type Fate, type Settlement, Settler } from '../../src/engine/settle.ts'
import { Waker } from '../../src/engine/wake.ts'
import { HoldfastError } from '../../src/model/errors.ts'
import { type Call, fakeDatabase } from './fake-database.ts'

const DOWN = new HoldfastError('HF_DATABASE_DOWN', 'gone')

/** The ids in a literal like `{a,b}`. */
function idsOf({ values }: Call): string[] {
  const list = String(values[0]).slice(1, -1)
  return list === '' ? [] : list.split(',')
}

/** Which claims a statement closes: its last parameter. */
function closedBy({ values }: Call): string {
  return String(values.at(-1))
}

/** As the database answers: `complete` names what it did not end, the others what they did. */
function answered(call: Call, ...gone: readonly string[]): { id: string }[] {
  const named = (id: string) => gone.includes(id) === (call.name === 'complete')
  return idsOf(call)
    .filter(named)
    .map((id) => ({ id }))
}

function settlerWith(answer: (call: Call) => unknown[] | Promise<unknown[]> = (call) => answered(call)) {
  const fake = fakeDatabase(answer)
  const troubles: unknown[] = []
  const fates = new Map<string, Fate>()
  let held = true
  const ledger = new Ledger(7, () => held)
  const settler = new Settler({
    db: fake.db,
    waker: new Waker(fake.db),
    keepCompleted: true,
    onSettled: () => {},
    onTrouble: (error) => troubles.push(error),
  })
  /** Claims jobs, and says how each of them ended. */
  const claim = (...ids: string[]) => {
    const number = ledger.begin()
    ledger.took(number, ids.length)
    return (id: string, settlement: Settlement = completed(id)) =>
      settler.settle(id, number, ledger, settlement, (fate) => fates.set(id, fate))
  }
  return { ...fake, settler, ledger, claim, troubles, fates, lose: () => (held = false) }
}

function completed(id: string): Settlement {
  return { kind: 'complete', write: { id, run: 1, tid: '(0,1)', result: null } }
}

function failed(id: string): Settlement {
  return { kind: 'finish', write: { id, run: 1, state: 21, result: null, error: '{}', keep: true } }
}

function handedBack(id: string): Settlement {
  return { kind: 'hand-back', write: { id, run: 1, interrupted: true, reason: 'deploy' } }
}

test('what ends in one turn of the loop is written by one statement', async () => {
  const { settler, claim, calls } = settlerWith()
  const end = claim('a', 'b', 'c')
  for (const id of ['a', 'b', 'c']) end(id)
  await settler.idle()
  expect(calls.map(({ name }) => name)).toEqual(['complete'])
  expect(calls.map(idsOf)).toEqual([['a', 'b', 'c']])
})

test('what ends while a batch is on its way goes with the next one, at most 500 a batch', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { settler, claim, calls } = settlerWith(async (call) => {
    await promise
    return answered(call)
  })
  const ids = Array.from({ length: 1_200 }, (_, n) => `j${n}`)
  const end = claim('first', ...ids)
  end('first')
  await sleep(5)
  for (const id of ids) end(id)
  expect(settler.unsettled).toBe(1_201)
  resolve()
  await settler.idle()
  expect(calls.map((call) => idsOf(call).length)).toEqual([1, 500, 500, 200])
  expect(settler.unsettled).toBe(0)
})

test('the ledger row goes with the last write of its claim, never before', async () => {
  const { settler, claim, calls, ledger } = settlerWith()
  const end = claim('a', 'b', 'c')
  end('a')
  await settler.idle()
  expect(calls.map(closedBy)).toEqual(['{}'])
  end('b', failed('b'))
  end('c', handedBack('c'))
  await settler.idle()
  const writes = calls.slice(1).filter(({ name }) => name !== 'wake')
  expect(writes.map((call) => [call.name, closedBy(call)])).toEqual([
    ['finish', '{}'],
    ['hand_back', '{1}'],
  ])
  expect(ledger.known()).toEqual([])
})

test('what is not where its claim put it is ended by its id, and that closes the claims', async () => {
  const { settler, claim, calls, fates } = settlerWith((call) =>
    call.name === 'complete' ? [{ id: 'b' }] : answered(call),
  )
  const end = claim('a', 'b')
  for (const id of ['a', 'b']) end(id)
  await settler.idle()
  expect(calls.map((call) => [call.name, idsOf(call), closedBy(call)])).toEqual([
    // Which closes them only if it has ended all of its jobs.
    ['complete', ['a', 'b'], '{1}'],
    ['finish', ['b'], '{1}'],
  ])
  expect(Object.fromEntries(fates)).toEqual({ a: 'written', b: 'written' })
})

test('a claim stays known until its end is written: what is being settled is no stranger', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { settler, claim, ledger } = settlerWith(async (call) => {
    await promise
    return answered(call)
  })
  claim('a')('a')
  await sleep(5)
  expect(ledger.known()).toEqual([1])
  resolve()
  await settler.idle()
  expect(ledger.known()).toEqual([])
})

test('a claim with a run that may still be held in the database is closed only after asking', async () => {
  const { settler, claim, calls } = settlerWith()
  const end = claim('a', 'b')
  end('a', { kind: 'close', sure: false })
  end('b')
  await settler.idle()
  expect(calls.map((call) => [call.name, closedBy(call)])).toEqual([
    ['complete', '{}'],
    ['close_claims', '{1}'],
  ])
  claim('c')('c', { kind: 'close', sure: true })
  await settler.idle()
  expect(calls.slice(2).map((call) => [call.name, closedBy(call)])).toEqual([['finish', '{2}']])
})

test('one row that the server refuses does not stop the others, and closes no claim of theirs', async () => {
  const { settler, claim, calls, troubles } = settlerWith((call) => {
    if (idsOf(call).includes('bad')) throw Object.assign(new Error('invalid'), { code: '22P02' })
    return answered(call)
  })
  const end = claim('a', 'bad', 'c', 'still running')
  for (const id of ['a', 'bad', 'c']) end(id)
  await settler.idle()
  const alone = calls.filter(({ name }) => name === 'complete').slice(1)
  expect(alone.map(idsOf)).toEqual([['a'], ['bad'], ['c']])
  expect(calls.map(closedBy).filter((closed) => closed.includes('1'))).toEqual([])
  expect(troubles.length).toBeGreaterThan(0)
  end('still running')
  await settler.idle()
  expect(settler.unsettled).toBe(0)
})

test('tries again while the lease holds, and gives up with it', async () => {
  let failing = 3
  const first = settlerWith((call) => {
    if (failing-- > 0) throw DOWN
    return answered(call)
  })
  first.claim('a')('a')
  await first.settler.idle()
  expect(first.calls).toHaveLength(4)

  const second = settlerWith(() => {
    throw DOWN
  })
  second.claim('a')('a')
  await sleep(20)
  second.lose()
  await second.settler.idle()
  expect(second.settler.unsettled).toBe(0)
})

test('wakes others for what was handed back', async () => {
  const { settler, claim, of } = settlerWith((call) =>
    call.name === 'hand_back' ? [{ id: 'a', queue: 'bulk' }] : answered(call),
  )
  claim('a')('a', handedBack('a'))
  await settler.idle()
  expect(of('wake').map(({ values }) => values[1])).toEqual(['bulk'])
})

test.for([
  ['a server that refuses this client for a while', new HoldfastError('HF_DATABASE_REFUSED', 'password')],
  ['a row on its way to another partition', Object.assign(new Error('check'), { code: '23514' })],
  ['a deadlock', Object.assign(new Error('deadlock'), { code: '40P01' })],
] as const)('what %s did nothing with is sent again', async ([, error]) => {
  let failing = 2
  const { settler, claim, calls, troubles } = settlerWith((call) => {
    if (failing-- > 0) throw error
    return answered(call)
  })
  const end = claim('a', 'b')
  end('a')
  end('b')
  await settler.idle()
  expect(calls.map(idsOf)).toEqual([
    ['a', 'b'],
    ['a', 'b'],
    ['a', 'b'],
  ])
  expect(troubles).toEqual([error, error])
})

test('says of each what became of it', async () => {
  const refusing = settlerWith((call) => answered(call, 'gone'))
  const end = refusing.claim('a', 'gone', 'inside')
  for (const id of ['a', 'gone']) end(id)
  end('inside', { kind: 'close', sure: true })
  await refusing.settler.idle()
  expect(Object.fromEntries(refusing.fates)).toEqual({ a: 'written', gone: 'refused', inside: 'written' })

  const bad = settlerWith((call) => {
    if (idsOf(call).includes('bad')) throw Object.assign(new Error('invalid'), { code: '22P02' })
    return answered(call)
  })
  const endThose = bad.claim('a', 'bad')
  for (const id of ['a', 'bad']) endThose(id)
  await bad.settler.idle()
  expect(Object.fromEntries(bad.fates)).toEqual({ a: 'written', bad: 'unwritten' })
})

test('what was sent without an answer and is refused the second time was written the first time', async () => {
  for (const [error, fate] of [
    [DOWN, 'written'],
    [new HoldfastError('HF_DATABASE_REFUSED', 'password'), 'refused'],
  ] as const) {
    let failing = true
    const { settler, claim, fates } = settlerWith((call) => {
      if (!failing) return answered(call, 'a')
      failing = false
      throw error
    })
    claim('a')('a')
    await settler.idle()
    expect(fates.get('a')).toBe(fate)
  }
})

test('what could not be written while the lease held is unwritten', async () => {
  const { settler, claim, fates, lose } = settlerWith(() => {
    throw DOWN
  })
  lose()
  claim('a')('a')
  await settler.idle()
  expect(fates.get('a')).toBe('unwritten')
})
