import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { useStages } from '../support/stage.ts'
import { config, type Loose, project, type Said, start } from './support.ts'

const stage = useStages()
const COMMAND = pathToFileURL(path.join(import.meta.dirname, '../../src/cli/deploy-plan.ts')).href
const PROGRAM = `const { plan } = await import('${COMMAND}'); process.exit(await plan(JSON.parse(process.argv[1])))`

async function plan(cwd: string, env: Record<string, string>, options: object): Promise<Said> {
  const running = start([JSON.stringify(options)], { cwd, env }, [
    '--no-warnings',
    '--input-type=module',
    '-e',
    PROGRAM,
  ])
  await running.ended()
  return { code: running.child.exitCode, stdout: running.stdout, stderr: running.stderr }
}

test('compares the code that lies here with the workers that live', async () => {
  await using s = await stage()
  await using app = await project({
    'holdfast.config.ts': config(`
      jobs.task({ name: 'same', run() {} }),
      jobs.task({ name: 'send', queue: 'bulk', version: 2, upgrade: { 1: () => undefined }, run() {} }),
      jobs.task({ name: 'fresh', queue: 'bulk', run() {} }),
    `),
  })
  const env = { DATABASE_URL: s.database, TEST_SCHEMA: s.schema }
  const idle = await plan(app.folder, env, { build: 'new' })
  expect(idle).toMatchObject({ code: 0, stdout: expect.stringContaining('No worker is running') })

  const jobs = s.holdfast({ ...s.place, queues: { bulk: {}, realtime: {} } })
  const tasks = [
    jobs.task({ name: 'same', run() {} }),
    jobs.task({ name: 'send', queue: 'bulk', run() {} }),
    jobs.task({ name: 'gone', queue: 'bulk', run() {} }),
  ]
  await s.start(jobs.app({ tasks }), { build: 'old', queues: ['bulk'] })
  await s.start(jobs.app({ tasks }), { build: 'old', queues: ['default'] })

  const json = await plan(app.folder, env, { build: 'new', json: true })
  expect(json).toMatchObject({ code: 0, stderr: '' })
  const found = JSON.parse(json.stdout) as Loose
  expect(found).toMatchObject({ build: 'new', loses: ['gone'], gains: ['fresh', 'send@2'] })
  expect(found.groups).toMatchObject([
    {
      ...{ build: 'old', queues: ['bulk'], verdict: 'restart', elsewhere: [] },
      differences: [
        { task: 'fresh', kind: 'added' },
        { task: 'gone', kind: 'removed' },
        { task: 'send', kind: 'changed', changes: [{ what: 'version', from: '1', to: '2' }, { what: 'versions' }] },
      ],
    },
    { queues: ['default'], verdict: 'same', elsewhere: ['fresh', 'gone', 'send'] },
  ])

  const plain = await plan(app.folder, env, { build: 'new' })
  expect(plain.stdout).toMatch(/^This code: build new, 3 tasks$/m)
  expect(plain.stdout).toMatch(/^restart {2}build old, queues bulk \(1 worker: /m)
  expect(plain.stdout).toMatch(/^ +~ send: version 1 → 2; takes versions 1 → 1, 2$/m)
  expect(plain.stdout).toMatch(/^ +- gone: removed$/m)
  expect(plain.stdout).toMatch(/^same {5}build old, queues default/m)
  expect(plain.stdout).toContain('This code does not take gone, which live workers do')
  expect(plain.stdout).toContain('No live worker takes fresh, send@2')

  const current = await plan(app.folder, env, { build: 'old' })
  expect(current.stdout).toMatch(/^current {2}build old, queues bulk/m)
})
