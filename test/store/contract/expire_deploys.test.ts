import { expect } from 'vitest'
import { deployed, test } from './deploys.ts'
import { expectPlan } from './support.ts'

test('ends those whose time is over, and no other', async ({ store }) => {
  const late = await deployed(store, { queues: ['a'], expires: -1 })
  const marked = await deployed(store, { queues: ['b'], expires: -1 })
  await store.rows(`update holdfast.deploy set state = 'migrating' where number = $1`, [marked.number])
  const live = await deployed(store, { queues: ['c'] })
  await store.db.run('expire_deploys', [])
  const rows = await store.rows('select number, state, why from holdfast.deploy order by number')
  expect(rows).toEqual([
    { number: late.number, state: 'expired', why: 'the command that prepared it vanished' },
    { number: marked.number, state: 'migrating', why: null },
    { number: live.number, state: 'preparing', why: null },
  ])
})

test('touches a few pages', async ({ store }) => {
  await deployed(store)
  expectPlan(await store.plan('expire_deploys', []), { uses: [], pages: 15 })
})
