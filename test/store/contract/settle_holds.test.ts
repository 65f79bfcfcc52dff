import { expect } from 'vitest'
import { deployed, holdOf, registered, test } from './deploys.ts'
import { expectPlan } from './support.ts'

test('holds who is covered now, lets all others claim', async ({ store }) => {
  const [held, free] = [await registered(store), await registered(store, { queues: ['other'] })]
  const { number } = await deployed(store, { queues: ['mine'] })
  expect(await holdOf(store, held)).toMatchObject({ claiming: false, deploy: number })
  expect(await holdOf(store, free)).toMatchObject({ claiming: true, deploy: null })
  await store.rows('update holdfast.deploy set ended_at = clock_timestamp() where number = $1', [number])
  expect(await store.db.run('settle_holds', [])).toEqual([])
  expect(await holdOf(store, held)).toMatchObject({ claiming: true, deploy: null })
})

test('what one deploy lets go another may still hold', async ({ store }) => {
  const worker = await registered(store)
  const first = await deployed(store)
  await store.rows(`insert into holdfast.deploy (owner, reason, token, require, expires_at)
    values ('b', 'r', 't', 'idle', clock_timestamp() + interval '1 min')`)
  await store.rows('update holdfast.deploy set ended_at = clock_timestamp() where number = $1', [first.number])
  expect(await store.db.run('settle_holds', [])).toEqual([{ key: worker, deploy: first.number + 1 }])
  expect(await holdOf(store, worker)).toMatchObject({ claiming: false, deploy: first.number + 1 })
})

test('touches a few pages', async ({ store }) => {
  await registered(store)
  await deployed(store)
  expectPlan(await store.plan('settle_holds', []), { uses: [], pages: 60 })
})
