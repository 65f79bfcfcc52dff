import { expect, test } from 'vitest'
import { readFloor } from '../../../src/store/upkeep.ts'
import { useStages } from '../../support/stage.ts'
import { addWorker } from './support.ts'

const stages = useStages()

test('a worker that was held and let go again between two looks has another permit', async () => {
  await using stage = await stages()
  const worker = await addWorker(stage.db)
  const before = await readFloor(stage.db, worker)
  expect(await readFloor(stage.db, worker)).toEqual(before)
  for (const claiming of [false, true])
    await stage.sql('update :schema.worker set claiming = $2 where key = $1', [worker, claiming])
  const after = await readFloor(stage.db, worker)
  expect(after?.permit).toMatch(/^\d+$/)
  expect(after?.permit).not.toBe(before?.permit)
})
