import { expect } from 'vitest'
import { wake } from '../../../src/store/enqueue.ts'
import { expectPlan, test } from './support.ts'

test('tells listeners the queue, when its transaction commits', async ({ store }) => {
  const heard: string[] = []
  store.client.on('notification', ({ channel, payload }) => heard.push(`${channel} ${payload}`))
  await store.db.query(`listen ${store.db.channel}`)
  await store.db.query('commit; begin')
  await wake(store.db, 'mine')
  await store.db.query('rollback; begin')
  await wake(store.db, 'other')
  expect(heard).toEqual([])
  await store.db.query('commit')
  await store.db.query(`unlisten ${store.db.channel}; begin`)
  expect(heard).toEqual([`${store.db.channel} other`])
})

test('touches no table', async ({ store }) => {
  const plan = await store.plan('wake', [store.db.channel, 'mine'])
  expectPlan(plan, { uses: [], pages: 0 })
  expect(plan.scans).toEqual([])
})
