import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { useStages } from '../support/stage.ts'
import { cli, cliJson, config, project, start } from './support.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const stage = useStages()
let copy: string

beforeAll(async () => {
  copy = await mkdtemp(path.join(tmpdir(), 'holdfast-copy-'))
  await cp(path.join(root, 'src'), path.join(copy, 'src'), { recursive: true })
  await cp(path.join(root, 'package.json'), path.join(copy, 'package.json'))
  await symlink(path.join(root, 'node_modules'), path.join(copy, 'node_modules'))
})
afterAll(() => rm(copy, { recursive: true, force: true }))

test('the command and the app may have a copy of this package each', async () => {
  await using s = await stage()
  const tasks = `jobs.iteration({ name: 'count', items: () => range(0, 5), async each(n, { tx }) { await tx.query('select $1::int', [n]) }, done: (_, { count }) => ({ count }) }),
    jobs.task({ name: 'later', retry: { limit: 1, backoff: '1ms' }, run(_, { job }) { if (job.run === 1) throw new RetryAfter('1ms') } })`
  const text = `import { RetryAfter } from 'holdfast'\n${config(tasks)}`
  await using app = await project({ 'holdfast.config.ts': text }, path.join(copy, 'src'))
  const how = { cwd: app.folder, env: { DATABASE_URL: s.database, TEST_SCHEMA: s.schema } }
  const count = await cliJson(['enqueue', 'count'], how)
  const later = await cliJson(['enqueue', 'later'], how)
  await using worker = start(['work'], how)
  expect(await s.ended(count.id)).toMatchObject({ state: 'completed', result: { count: 5 } })
  expect(await s.ended(later.id)).toMatchObject({ state: 'completed', run: 2 })
  worker.child.kill('SIGTERM')
  expect(await worker.ended()).toBe(0)
  const refused = await cli(['enqueue', 'count', '{}'], how)
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('[HF_INPUT]') })
  expect(refused.stderr).not.toMatch(/^ +at /m)
})
