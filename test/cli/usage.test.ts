import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { run } from '../../src/cli/program.ts'
import { RELEASE } from '../../src/release.ts'
import { cli, config, MAIN, project, type Said, start } from './support.ts'

let nowhere: string
beforeAll(async () => {
  nowhere = await mkdtemp(path.join(tmpdir(), 'holdfast-usage-'))
})
afterAll(() => rm(nowhere, { recursive: true, force: true }))

const ID = '01980000-0000-7000-8000-000000000000'
const NO_SERVER = { DATABASE_URL: 'postgres://me:s3cret@127.0.0.1:1/db?password=s3cret' }

describe('a command line that cannot work exits with 2, and says what would', () => {
  test.for<[string, string]>([
    ['wrok', "unknown command 'wrok' (Did you mean work?)"],
    ['jobs lst', "unknown command 'lst' (Did you mean list?)"],
    ['jobs list --sate failed', "unknown option '--sate' (Did you mean --state?)"],
    ['jobs list --state complete', "There is no state 'complete'. Did you mean 'completed'?"],
    ['jobs list --limit 0', "--limit must be a whole number from 1 to 1000, not '0'."],
    ['jobs list --after x', "'x' is not the id of a job"],
    ['jobs show', "missing required argument 'id'"],
    ['jobs show 12', "'12' is not the id of a job"],
    [`jobs pause ${ID}`, "required option '--reason <text>' not specified"],
    ['enqueue t {a:1}', 'The input is not JSON'],
    ['enqueue t --priority 10', "--priority must be a whole number from 0 to 9, not '10'."],
    ['enqueue t --after 2026-13-01', "--after is no date: '2026-13-01'"],
    ['demo taskmster', "There is no story 'taskmster'. Did you mean 'taskmaster'?"],
    ['demo rollback --rows 5000', '--rows and --mutate go with the import.'],
    ['migrate --sql', '--sql goes with --dry-run.'],
    ['work --concurrency many', "--concurrency must be a whole number from 1 to 10000, not 'many'."],
    ['work --processes 0', "--processes (if not `auto`) must be a whole number from 1 to 256, not '0'."],
    ['work --processes many', "--processes (if not `auto`) must be a whole number from 1 to 256, not 'many'."],
    ['work --port 80000', "--port must be a whole number from 0 to 65535, not '80000'."],
    ['work --port x', "--port must be a whole number from 0 to 65535, not 'x'."],
    ['work --host 127.0.0.1', '--host goes with --port'],
  ])('holdfast %s', async ([line, words]) => {
    const { code, stdout, stderr } = await inside(line.split(' '))
    expect(stderr).toContain(words)
    expect(stderr).not.toMatch(/^ +at /m)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })
})

describe.concurrent('what cannot be done exits with 1, and says the cure', () => {
  test.for<[string, Record<string, string>, string, RegExp]>([
    ['jobs list', {}, 'HF_CONFIG_NOT_FOUND', /DATABASE_URL is not set.*holdfast init/s],
    ['work', {}, 'HF_CONFIG_NOT_FOUND', /holdfast init/],
    [
      'work --port 0 --host 203.0.113.7',
      {},
      'HF_LISTEN',
      /Port 0 of 203\.0\.113\.7 cannot be listened to: this machine does/,
    ],
    ['work --port 0 --host no.such.invalid', {}, 'HF_LISTEN', /no\.such\.invalid cannot be listened to: .*name/],
    ['queues --config nope.ts', {}, 'HF_CONFIG_NOT_FOUND', /There is no file .*nope\.ts/],
    ['queues', NO_SERVER, 'HF_DATABASE_DOWN', /ECONNREFUSED/],
    ['queues', { DATABASE_URL: 'postgres://me:s3cret@127.0.0.1:99999/db' }, 'HF_DATABASE_REFUSED', /Invalid URL/],
    ['queues --schema x;drop', NO_SERVER, 'HF_NAME', /name of a schema/],
  ])('holdfast %s %j', async ([line, env, errorCode, words], { expect }) => {
    const plain = await cli(line.split(' '), { cwd: nowhere, env })
    expect(plain.stderr).toContain(`[${errorCode}]`)
    expect(plain.stderr).toMatch(words)
    expect(plain.stderr).not.toMatch(/^ +at |s3cret/m)
    expect({ code: plain.code, stdout: plain.stdout }).toEqual({ code: 1, stdout: '' })
    if (errorCode !== 'HF_DATABASE_DOWN') return
    const json = await cli([...line.split(' '), '--json'], { cwd: nowhere, env })
    const { error } = JSON.parse(json.stderr)
    expect(error).toEqual({ code: errorCode, message: expect.not.stringContaining('HF_'), cure: expect.any(String) })
    expect(json.code).toBe(1)
  })
})

describe('what is no error', () => {
  test.for<[string, RegExp]>([
    ['', /Commands:.*doctor.*Exit codes:/s],
    ['--help', /Exit codes:\n {2}0/],
    ['help jobs', /pause \[options\] <id>/],
    ['jobs pause --help', /--for <duration>.*7d/s],
  ])('holdfast %s', async ([line, words]) => {
    const { code, stdout, stderr } = await inside(line.split(' ').filter(Boolean))
    expect(stdout).toMatch(words)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })

  test('holdfast --version', async () => {
    expect(await cli(['--version'])).toEqual({ code: 0, stdout: `${RELEASE}\n`, stderr: '' })
  })

  test('a reader that goes away early, like head', async () => {
    const help = start(['--help'], { cwd: nowhere })
    help.child.stdout?.destroy()
    expect(await help.ended()).toBe(0)
    expect(help.stderr).toBe('')
  })
})

test('a start loads nothing of the commands that were not asked for', async () => {
  const script = path.join(import.meta.dirname, '../support/loaded.mjs')
  const env = { HOLDFAST_TEST_IMPORT: pathToFileURL(path.join(path.dirname(MAIN), 'program.ts')).href }
  const loading = start([], { env }, [script])
  await loading.ended()
  const files: string[] = JSON.parse(loading.stdout)
  expect(files.some((file) => file.endsWith('src/cli/program.ts'))).toBe(true)
  expect(files.filter((file) => /\/(pg|jiti|cli-table3|uuid)\/|src\/(store|engine|tasks)\//.test(file))).toEqual([])
})

/** In this process: what the parser refuses needs no other. */
async function inside(argv: string[]): Promise<Said> {
  const said = { stdout: '', stderr: '' }
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      said[name] += text
      return true
    }),
  )
  try {
    return { code: await run(argv), ...said }
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
}

test('a port that is taken is named, and who may have taken it', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const { code, stderr } = await cli(['work', '--port', String(port)], { cwd: nowhere })
  taken.close()
  expect(stderr).toContain(
    `error Port ${port} of 127.0.0.1 cannot be listened to: something else listens there. [HF_LISTEN]\n`,
  )
  expect(stderr).toContain('often an older worker')
  expect(code).toBe(1)
})

describe.concurrent('an app that cannot work is refused at its start, with every task on a line of its own', () => {
  test.for<[string, string, Record<string, string>, string, string]>([
    [
      'a grace without a unit',
      '',
      { HOLDFAST_GRACE: '30' },
      'HF_DURATION',
      "HOLDFAST_GRACE must be a number and a unit, like '20s'",
    ],
    ['a grace of words', '', { HOLDFAST_GRACE: 'soon' }, 'HF_DURATION', 'HOLDFAST_GRACE must be a number and a unit'],
    [
      'a grace too long',
      '',
      { HOLDFAST_GRACE: '8d' },
      'HF_CONFIG',
      'HOLDFAST_GRACE must be a duration from 0ms to 7d, not "8d"',
    ],
    ['a mode', '', { HOLDFAST_SIGTERM: 'hot' }, 'HF_CONFIG', 'HOLDFAST_SIGTERM must be one of hand-off, finish, cold'],
    [
      'a place',
      ", isolate: 'x'",
      {},
      'HF_CONFIG',
      'isolate of task a must be true, false, \'thread\' or an object, not "x"',
    ],
    [
      'a legacy without an end',
      ", legacy: { reason: 'old' }",
      {},
      'HF_CONFIG',
      "until in legacy of task a must be a day like '2027-03-31'",
    ],
    [
      'tasks that are too long',
      ", timeLimit: '5m'",
      {},
      'HF_MAX_FINISH',
      ':\n  a: it may take 5m. Lower its timeLimit to 27s if',
    ],
    ['the second of them', ", timeLimit: '5m'", {}, 'HF_MAX_FINISH', "YYYY-MM-DD' }.\n  b: it may take 6m. Lower"],
  ])('%s', async ([, more, env, errorCode, words], { expect }) => {
    const tasks = `jobs.task({ name: 'a', run() {}${more} })${more.includes('5m') ? ", jobs.task({ name: 'b', timeLimit: '6m', run() {} })" : ''}`
    await using app = await project({ 'holdfast.config.ts': config(tasks) })
    const { code, stderr } = await cli(['work'], { cwd: app.folder, env: { ...NO_SERVER, ...env } })
    expect(stderr).toContain(words)
    expect(stderr).toContain(`[${errorCode}]`)
    expect(stderr).not.toMatch(/^ +at |s3cret/m)
    expect(code).toBe(1)
  })
})
