import { expect, test } from 'vitest'
import { pgTransactions } from '../../../src/engine/transactions.ts'
import type { Database } from '../../../src/store/db.ts'
import { openingCommands } from '../../../src/store/opening.ts'
import { fanOut, finishPart, forgetParts, lockParts } from '../../../src/store/parts.ts'
import { finishInTransaction } from '../../../src/store/settles.ts'
import { type Stage, useStages } from '../../support/stage.ts'
import { addJob, addWorker, claimUpTo, openSession, type Session, waitsFor } from './support.ts'

const stages = useStages()
const NONCE = '3f0f9f0e-0000-4000-8000-000000000000'

async function fannedOut(stage: Stage, parts: number): Promise<string[]> {
  const worker = await addWorker(stage.db)
  const root = await addJob(stage.db)
  await claimUpTo(stage.db, worker, 1, 1)
  const others = Array.from({ length: parts - 1 }, () => crypto.randomUUID())
  expect(await fanOut(stage.db, { id: root, run: 1 }, others)).toBe(true)
  expect(await claimUpTo(stage.db, worker, 2, parts)).toHaveLength(parts - 1)
  return [root, ...others]
}

/** As the end of a part does it: all but the last complete in the transaction that finds that others are left. */
async function end(
  db: Database,
  on: Session,
  root: string,
  id: string,
  items: number,
): Promise<{ last: boolean; items: number }> {
  await on.query(`begin; ${openingCommands(10_000, NONCE)}`)
  const others = await lockParts(db, on, root, id)
  if (others.unfinished === 0) return { last: true, items: others.items + items }
  await finishPart(db, on, root, id, items)
  await finishInTransaction(db, on, { id, run: 1 }, { result: null, keep: true, nonce: NONCE })
  return { last: false, items }
}

test('of two parts that end together exactly one finds itself the last', async () => {
  await using stage = await stages()
  const [one, other] = [await openSession(stage), await openSession(stage)]
  const [root = '', part = ''] = await fannedOut(stage, 2)
  expect(await end(stage.db, one, root, root, 3)).toEqual({ last: false, items: 3 })
  const second = end(stage.db, other, root, part, 4)
  await waitsFor(stage, other, one)
  await one.commit()
  expect(await second).toEqual({ last: true, items: 7 })
  await other.commit()
})

test('a part that rolls back at its end leaves the next one to wait for it', async () => {
  await using stage = await stages()
  const [one, other] = [await openSession(stage), await openSession(stage)]
  const [root = '', part = ''] = await fannedOut(stage, 2)
  await end(stage.db, one, root, root, 3)
  const second = end(stage.db, other, root, part, 4)
  await waitsFor(stage, other, one)
  await one.rollback()
  expect(await second).toMatchObject({ last: false })
  await other.commit()
  // The first ends again, and is the last now.
  expect(await end(stage.db, one, root, root, 3)).toEqual({ last: true, items: 7 })
})

test('ten parts that end at once: one is the last, with the items of all', async () => {
  await using stage = await stages()
  const ids = await fannedOut(stage, 10)
  const root = ids[0] as string
  const ends = ids.map((id) =>
    pgTransactions(stage.db, 10_000).run(async ({ on, nonce }) => {
      const others = await lockParts(stage.db, on, root, id)
      if (others.unfinished === 0) return others.items + 1
      await finishPart(stage.db, on, root, id, 1)
      await finishInTransaction(stage.db, on, { id, run: 1 }, { result: null, keep: true, nonce })
      return undefined
    }),
  )
  const answers = await Promise.all(ends)
  expect(answers.filter((items) => items !== undefined)).toEqual([10])
  expect(await stage.sql('select count(*)::int as n from :schema.job')).toEqual([{ n: 1 }])
  await forgetParts(stage.db, stage.db, root)
  expect(await stage.sql('select * from :schema.part')).toEqual([])
})

test('two runs that fan out the same job make its parts once', async () => {
  await using stage = await stages()
  const [one, other] = [await openSession(stage), await openSession(stage)]
  const worker = await addWorker(stage.db)
  const id = await addJob(stage.db)
  await claimUpTo(stage.db, worker, 1, 1)
  await one.begin()
  expect(await fanOut(one, { id, run: 1 }, [crypto.randomUUID()])).toBe(true)
  const second = fanOut(other, { id, run: 1 }, [crypto.randomUUID()])
  await waitsFor(stage, other, one)
  await one.commit()
  expect(await second).toBe(true)
  expect(await stage.sql('select part from :schema.part order by part')).toEqual([{ part: 0 }, { part: 1 }])
  expect(await stage.sql('select count(*)::int as n from :schema.job')).toEqual([{ n: 2 }])
})
