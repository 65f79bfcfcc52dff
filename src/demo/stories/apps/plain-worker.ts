import { setTimeout as sleep } from 'node:timers/promises'
import { Database } from '../../../store/db.ts'
import { note } from './note.ts'

// A worker as many are: a task leaves the queue when it is taken, and at SIGTERM the one in work may end ("warm shutdown").
const db = new Database({ url: process.env['DATABASE_URL'] ?? '', schema: 'holdfast', connections: 1 })
const TAKE = `
  delete from plain_queue where id = (select id from plain_queue order by id limit 1 for update skip locked)
  returning task, key, ms`

let stopping = false
process.on('SIGTERM', () => {
  stopping = true
})

while (!stopping) {
  const [taken] = (await db.query(TAKE)).rows as { task: string; key: string; ms: number }[]
  if (taken === undefined) {
    await sleep(100)
    continue
  }
  const { task, key, ms } = taken
  note({ release: 0, task, key, did: 'begin' })
  await sleep(ms)
  note({ release: 0, task, key, did: 'end' })
}
await db.close()
