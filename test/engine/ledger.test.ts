import { expect, test } from 'vitest'
import { reconcile } from '../../src/engine/incarnation.ts'
import { Ledger } from '../../src/engine/ledger.ts'
import { fakeDatabase } from './fake-database.ts'

function taken(ledger: Ledger, jobs: number): number {
  const claim = ledger.begin()
  ledger.took(claim, jobs)
  return claim
}

test('a claim is known from before it is sent until its last job is written', () => {
  const ledger = new Ledger(1, () => true)
  const claim = ledger.begin()
  expect(ledger.known()).toEqual([claim])
  ledger.took(claim, 3)
  expect(ledger.letGo([{ claim, sure: true }])).toEqual({ sure: [], unsure: [] })
  const rest = [
    { claim, sure: true },
    { claim, sure: true },
  ]
  expect(ledger.letGo(rest)).toEqual({ sure: [claim], unsure: [] })
  expect(ledger.known()).toEqual([claim])
  ledger.forget([claim])
  expect(ledger.known()).toEqual([])
})

test('one job that may still be held makes its whole claim unsure, in whatever order they end', () => {
  for (const order of [
    [false, true],
    [true, false],
  ]) {
    const ledger = new Ledger(1, () => true)
    const claim = taken(ledger, 2)
    const [first = true, second = true] = order
    expect(ledger.letGo([{ claim, sure: first }])).toEqual({ sure: [], unsure: [] })
    expect(ledger.letGo([{ claim, sure: second }])).toEqual({ sure: [], unsure: [claim] })
  }
})

test('a claim that took nothing, or whose answer was lost, is forgotten', () => {
  const ledger = new Ledger(1, () => true)
  taken(ledger, 0)
  ledger.lost(ledger.begin())
  expect(ledger.known()).toEqual([])
  expect(ledger.last).toBe(2)
  expect(ledger.letGo([{ claim: 2, sure: true }])).toEqual({ sure: [], unsure: [] })
})

const row = (claim: number, id: string) => ({ claim: `${claim}`, id, run: 4, queue: 'q', position: '1', task: 't' })

test('what the database holds beyond the known claims is given back, and its rows are closed', async () => {
  const ledger = new Ledger(9, () => true)
  const known = taken(ledger, 1)
  const unanswered = ledger.begin()
  ledger.lost(unanswered)
  const { db, calls, of } = fakeDatabase(({ name }) =>
    name === 'read_claim' ? [row(unanswered, 'a'), row(unanswered, 'b')] : [],
  )
  expect(await reconcile({ db }, ledger)).toEqual(new Set(['q']))
  expect(of('read_claim')[0]?.values).toEqual([9, `{${known}}`])
  expect(calls.map(({ name }) => name)).toEqual(['read_claim', 'hand_back', 'close_claims'])
  expect(of('hand_back')[0]?.values.slice(0, 3)).toEqual(['{a,b}', '{4,4}', '{0,0}'])
  expect(of('close_claims')[0]?.values).toEqual([9, `{${unanswered}}`])
})

test('a claim that began after the question is no stranger, even if it was answered before it', async () => {
  const ledger = new Ledger(9, () => true)
  let younger = 0
  const { db, calls } = fakeDatabase(({ name }) => {
    if (name !== 'read_claim') return []
    younger = taken(ledger, 1)
    return [row(younger, 'young')]
  })
  expect(await reconcile({ db }, ledger)).toEqual(new Set())
  expect(calls.map(({ name }) => name)).toEqual(['read_claim'])
  expect(ledger.known()).toEqual([younger])
})
