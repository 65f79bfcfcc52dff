import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Report } from '../../src/engine/isolation/messages.ts'
import { Resident } from '../../src/engine/isolation/resident.ts'
import { holdfast } from '../../src/index.ts'
import { appOf } from '../../src/internals.ts'
import { until } from '../support/until.ts'

test('what still runs of a run that has ended says nothing of the progress of the next one', async () => {
  const jobs = holdfast({ database: 'postgres://nowhere' })
  let late = (): void => {}
  const first = jobs.task({
    name: 'first',
    run(_, { progress }) {
      progress(1, 2)
      late = () => progress(7, 9)
    },
  })
  const second = jobs.task({ name: 'second', run: (_, { signal }) => sleep(30_000, undefined, { signal }) })
  const app = appOf(jobs.app({ tasks: [first, second] }))
  const said: Report[] = []
  const resident = new Resident({
    task: (name: string) => app?.registry.tasks.find((task) => task.name === name),
    report: (report: Report) => said.push(report),
    db: { url: 'postgres://nowhere' },
  } as never)
  const run = (task: string) =>
    resident.take({
      kind: 'run',
      job: { id: task, task, version: 1, run: 1, input: null, failures: 0, crashes: 0, queue: 'default' } as never,
      worker: 1,
      softLimit: undefined,
    })
  run('first')
  await until(() => said.some(({ kind }) => kind === 'ended'), { what: 'the first ends' })
  run('second')
  late()
  resident.take({ kind: 'interrupt', reason: 'deploy', now: true, error: undefined, asked: undefined })
  await until(() => said.filter(({ kind }) => kind === 'ended').length === 2, { what: 'the second ends' })
  expect(said.filter(({ kind }) => kind === 'progress')).toEqual([{ kind: 'progress', done: 1, total: 2 }])
})
