import { expect } from 'vitest'
import { useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { gate, test } from './support.ts'

const stages = useStages()

test('an end that the database refused is said to be refused, and counts as nothing else', async () => {
  await using stage = await stages()
  const jobs = stage.holdfast()
  const pause = gate()
  const task = jobs.task({ name: 'task', run: () => pause.pass() })
  const worker = await stage.start(jobs.app({ tasks: [task] }))
  const { id } = await jobs.enqueue(task)
  await pause.reached
  await stage.sql('delete from :schema.job where id = $1', [id])
  pause.open()
  expect(await worker.logged('Run refused')).toMatchObject({ level: 'warn', job: id })
  expect(worker.settled).toEqual({ refused: 1 })
  const other = await jobs.enqueue(task)
  await stage.ended(other.id)
  await until(() => worker.settled['complete'] === 1, { what: 'the other is counted' })
  expect(await worker.shutdown()).toMatchObject({ handedOff: 0, finished: 0 })
})
