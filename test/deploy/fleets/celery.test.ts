import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { splitCommand } from '../../../src/cli/deploy-fleet-options.ts'
import { CeleryFleet, type CelerySettings } from '../../../src/deploy/fleets/celery.ts'

// What a broken `celery` does. The real one is in `npm run test:fleets`.
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holdfast-fake-celery-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** `celery`, as a shell script. */
async function fleet(script: string, more: Partial<CelerySettings> = {}): Promise<CeleryFleet> {
  const file = path.join(folder, `celery-${Math.random()}`)
  await writeFile(file, `#!/bin/sh\n${script}\n`)
  await chmod(file, 0o755)
  return new CeleryFleet({ line: [file], replyMs: 100, ...more })
}

/** Answers by the word that it is asked. */
const answers = (table: Record<string, string>): string => {
  const cases = Object.entries(table).map(([word, answer]) => `*${word}*) cat <<'END'\n${answer}\nEND\n;;`)
  return `case "$*" in\n${cases.join('\n')}\n*) echo '{}' ;;\nesac`
}

test.each([
  ['a command that is not there', undefined, 'HF_FLEET_COMMAND', /ENOENT/],
  [
    'a failure, with its own words',
    'echo "No module named proj" >&2; exit 2',
    'HF_FLEET_COMMAND',
    /exited with 2: No module/,
  ],
  ['a death', 'kill -9 $$', 'HF_FLEET_COMMAND', /SIGKILL/],
  ['nothing', 'exit 0', 'HF_FLEET_REPLY', /nothing at all/],
  ['half an answer', `echo '{"w1@h": [{"na'`, 'HF_FLEET_REPLY', /no JSON/],
  ['another shape', `echo '[1, 2]'`, 'HF_FLEET_REPLY', /no object of workers/],
  ['another shape for a worker', `echo '{"w1@h": "busy"}'`, 'HF_FLEET_REPLY', /w1@h: no list/],
  ["a worker's error", `echo '{"w1@h": {"error": "no such command"}}'`, 'HF_FLEET_REPLY', /w1@h: "no such/],
])('%s is a typed error', async (_, script, code, words) => {
  const broken =
    script === undefined ? new CeleryFleet({ line: ['/nowhere/celery'], replyMs: 100 }) : await fleet(script)
  await expect(broken.workers()).rejects.toMatchObject({ code, message: expect.stringMatching(words) })
})

test('a command that never ends is ended, with what it has started', async () => {
  const hanging = await fleet('sleep 600 & sleep 600', { startMs: 200 })
  await expect(hanging.workers()).rejects.toMatchObject({
    code: 'HF_FLEET_COMMAND',
    message: /did not end within 0.3 s/,
  })
})

test('an app that prints while it is imported, and nobody there', async () => {
  const chatty = await fleet(`echo 'loading {settings}'; echo '{"w1@h": []}'`)
  expect(await chatty.workers()).toEqual({ workers: ['w1@h'], fetching: [], silent: [] })
  const nobody = await fleet('echo "Error: No nodes replied within time constraint" >&2; exit 69', { expect: ['w1@h'] })
  expect(await nobody.workers()).toMatchObject({ workers: [], silent: [{ who: 'w1@h' }] })
})

test('a queue that would vanish with its messages is refused before anything is paused', async () => {
  const risky = await fleet(
    answers({
      active_queues: '{"w1@h": [{"name": "bcast.1", "auto_delete": true}]}',
      stats: '{"w1@h": {"pid": 7, "uptime": 100}}',
    }),
  )
  await expect(risky.workers()).rejects.toMatchObject({ code: 'HF_FLEET_QUEUE', message: /bcast\.1/ })
})

test('tasks in every state, and which of them may be interrupted', async () => {
  const task = (id: string, name: string, more = '') => `{"id": "${id}", "name": "${name}"${more}}`
  const busy = await fleet(
    answers({
      acks_late: '{"w1@h": ["plain [acks_late=False]", "late [acks_late=True]"]}',
      scheduled: `{"w1@h": [{"eta": "2000-01-01T00:00:00+00:00", "request": ${task('s', 'plain')}}]}`,
      reserved: `{"w1@h": [${task('r', 'plain')}, ${task('a', 'late')}]}`,
      active: `{"w1@h": [${task('a', 'late', `, "time_start": ${Date.now() / 1_000 - 60}`)}]}`,
    }),
    { interruptible: ['named'] },
  )
  const { jobs, later, silent } = await busy.active(['w1@h', 'w2@h'])
  expect(jobs).toMatchObject([
    { id: 'a', state: 'running', worker: 'w1@h' },
    { id: 'r', state: 'taken' },
  ])
  expect(jobs[0]?.runningMs).toBeGreaterThan(59_000)
  expect(later).toEqual([{ id: 's', task: 'plain', worker: 'w1@h', dueMs: 0 }])
  expect(silent).toMatchObject([{ who: 'w2@h' }])
  const may = (name: string) => busy.isInterruptible({ task: name, worker: 'w1@h' })
  expect(['late', 'plain', 'named', 'other'].map(may)).toEqual([true, false, true, false])
})

test('a worker with the same pid that started later and fetches is a new one, and is left alone', async () => {
  const started = (secondsAgo: number) => ({ pid: 1, at: Date.now() - secondsAgo * 1_000 })
  const script = answers({
    stats: '{"w1@h": {"pid": 1, "uptime": 3}, "w2@h": {"pid": 1, "uptime": 500}}',
    active_queues: '{"w1@h": [{"name": "new"}], "w2@h": [{"name": "a"}]}',
    control: '[]',
  })
  const contained = await fleet(script)
  const held = ['w1@h', 'w2@h'].map((worker) => ({ worker, queue: 'a', start: started(500) }))
  expect(await contained.resume(held)).toMatchObject({ restarted: ['w1@h'], resumed: [{ worker: 'w2@h' }], left: [] })
})

test('what is printed can be pasted', async () => {
  const odd = new CeleryFleet({ line: ['my env/celery', '-A', 'proj'], replyMs: 100 })
  expect(odd.undo([{ worker: 'w1@h', queue: "it's" }])).toEqual([
    `'my env/celery' -A proj control -d w1@h add_consumer 'it'\\''s'`,
  ])
  expect(splitCommand(`poetry run 'my celery' -A "proj x"`)).toEqual(['poetry', 'run', 'my celery', '-A', 'proj x'])
})
