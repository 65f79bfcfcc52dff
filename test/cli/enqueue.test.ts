import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Stage, useStages } from '../support/stage.ts'
import { cli, cliJson, config, type Project, project } from './support.ts'

const stage = useStages()
let s: Stage
let app: Project
let how: { cwd: string; env: Record<string, string> }

beforeAll(async () => {
  s = await stage()
  const task = `jobs.task({ name: 'send-receipt', queue: 'realtime', input: z.object({ orderId: z.string() }), run() {} })`
  app = await project({ 'holdfast.config.ts': `import { z } from 'zod'\n${config(task)}` })
  how = { cwd: app.folder, env: { DATABASE_URL: s.database, TEST_SCHEMA: s.schema } }
})
afterAll(async () => {
  await app[Symbol.asyncDispose]()
  await s[Symbol.asyncDispose]()
})

test.concurrent('enqueues through the app, from an argument or from stdin', async ({ expect }) => {
  const said = await cliJson(
    ['enqueue', 'send-receipt', '{"orderId":"o1"}', '--queue', 'bulk', '--after', '1h', '--priority', '2'],
    how,
  )
  expect(said).toEqual({ id: expect.any(String), task: 'send-receipt', queue: 'bulk' })
  expect(await s.find(said.id)).toMatchObject({ state: 'scheduled', queue: 'bulk', task: 'send-receipt' })

  const piped = await cli(['enqueue', 'send-receipt', '-'], { ...how, input: '{"orderId":"o2"}\n' })
  expect(piped.stdout).toMatch(/^ok send-receipt is enqueued in realtime as /)
  const [row] = await s.sql<{ input: unknown }>('select input from :schema.job where id = $1', [
    piped.stdout.trim().split(' ').at(-1),
  ])
  expect(row?.input).toEqual({ orderId: 'o2' })
})

test.concurrent.for<[args: string[], code: number, words: RegExp]>([
  [
    ['send-recipt'],
    1,
    /no task 'send-recipt'\. Did you mean 'send-receipt'\? Tasks: send-receipt \[HF_TASK_NOT_FOUND\]/,
  ],
  [['send-receipt', '{"orderId":1}'], 1, /does not fit its schema: input\.orderId: .*\[HF_INPUT\]/],
  [['send-receipt', '{"orderId":"a"}', '--queue', 'realtme'], 1, /Did you mean 'realtime'\?.*\[HF_QUEUE_NOT_FOUND\]/],
  [['send-receipt', '{"orderId":"a"}', '--after', 'soon'], 1, /\[HF_DURATION\]/],
])('refuses %j', async ([args, code, words], { expect }) => {
  const said = await cli(['enqueue', ...args], how)
  expect(said.stderr).toMatch(words)
  expect(said.stderr).not.toMatch(/^ +at /m)
  expect(said).toMatchObject({ code, stdout: '' })
})

test('a name that no job and no declaration knows was misspelt', async () => {
  const [queue, task] = await Promise.all([
    cli(['jobs', 'list', '--queue', 'realtme'], how),
    cli(['jobs', 'list', '--task', 'send-recipt'], how),
  ])
  expect(queue).toMatchObject({ code: 1, stderr: expect.stringContaining("Did you mean 'realtime'?") })
  expect(task).toMatchObject({ code: 1, stderr: expect.stringContaining("Did you mean 'send-receipt'?") })
})
