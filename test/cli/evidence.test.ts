import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { showTails } from '../../src/store/tails.ts'
import { justBeforeKept, owedLines, TALK_EVERY_MS } from '../support/kept-lines.ts'
import { type Stage, useStages } from '../support/stage.ts'
import { SLOW_MACHINE, until } from '../support/until.ts'
import { cli, cliJson, config, enqueue, envOf, type Project, project, type Running, start } from './support.ts'

const stage = useStages()
/** Each of these starts several processes. */
const TIMEOUT = 120_000
const TASKS = {
  talk: (more: string) => `jobs.task({ name: 'talk', interrupt: 'restart'${more}, async run(_, { log }) {
    for (let n = 0; ; n++) { appendFileSync('said', Date.now() + '\\n'); log.info('line ' + n, { token: 's3cret' }); await sleep(${TALK_EVERY_MS}) } } })`,
  leave: `jobs.task({ name: 'leave', async run(_, { log }) { log.warn('about to leave'); await sleep(2_500); process.exit(3) } })`,
  long: `jobs.task({ name: 'long', interrupt: 'restart', run: (_, { signal }) => sleep(60_000, undefined, { signal }) })`,
}

function work(s: Stage, { folder }: Project, args: string[] = []): Running {
  return start(['work', '--build', 'b1', ...args], { cwd: folder, env: envOf(s) })
}

const show = (s: Stage, { folder }: Project, id: string) => cli(['jobs', 'show', id], { cwd: folder, env: envOf(s) })

for (const isolate of ['', ', isolate: true']) {
  test(
    `supervisor and worker process killed together: what was said until three seconds before is there${isolate}`,
    async () => {
      await using s = await stage()
      const code = `import { appendFileSync } from 'node:fs'\n${config(TASKS.talk(isolate))}`
      await using app = await project({ 'holdfast.config.ts': code })
      await using worker = work(s, app)
      const { pid } = await worker.line('Worker started')
      const id = await enqueue(s, app, 'talk')
      await justBeforeKept(s.db, id)
      const killedAt = Date.now()
      worker.child.kill('SIGKILL')
      process.kill(Number(pid), 'SIGKILL')
      await worker.ended()
      const saidAt = readFileSync(path.join(app.folder, 'said'), 'utf8').trim().split('\n').map(Number)
      const { stdout } = await show(s, app, id)
      const numbers = [...stdout.matchAll(/ line (\d+)/g)].map(([, n]) => Number(n))
      expect(numbers).toHaveLength(10)
      const owed = owedLines(saidAt, killedAt)
      expect(owed.length).toBeGreaterThan(0)
      expect(numbers.at(-1)).toBeGreaterThanOrEqual(owed.length - 1)
      expect(stdout).toMatch(/running +\S+ +b1 .*\n +… \d+ lines before\n/)
      expect(stdout).not.toContain('s3cret')
    },
    TIMEOUT,
  )
}

test(
  'show tells of a process that ended itself: what it said, and how it ended',
  async () => {
    await using s = await stage()
    await using app = await project({ 'holdfast.config.ts': config(TASKS.leave) })
    await using worker = work(s, app)
    await worker.line('Worker started')
    const id = await enqueue(s, app, 'leave')
    await until(async () => ((await s.find(id))?.crashes ?? 0) > 0, { what: 'the crash is counted' })
    const { stdout } = await show(s, app, id)
    expect(stdout).toMatch(/runs .*1 crash/)
    expect(stdout).toMatch(/ 1 +crashed +\S+ +b1 .*exited with code 3/)
    expect(stdout).toMatch(/\n +exitCode 3\n +[\d:.]+ warn +about to leave\n/)
  },
  TIMEOUT,
)

test(
  'a long job under many deploys is named before its third start, and the metrics count it',
  async () => {
    await using s = await stage()
    await using app = await project({ 'holdfast.config.ts': config(TASKS.long) })
    let id: string | undefined
    for (const deploy of [1, 2]) {
      await using worker = work(s, app)
      await worker.line('Worker started')
      id ??= await enqueue(s, app, 'long')
      await s.reached(id, 'running')
      worker.child.kill('SIGTERM')
      expect(await worker.ended()).toBe(0)
      const worries = worker.lines.filter((line) => line['worry'] !== undefined)
      expect(worries).toMatchObject(
        deploy === 1 ? [] : [{ level: 'warn', worry: 'starts-over', job: id, task: 'long' }],
      )
    }
    expect((await show(s, app, id ?? '')).stdout).toMatch(
      /warning +Job was interrupted 2 times, and starts from the beg/,
    )
    await using third = work(s, app, ['--port', '0'])
    const { url } = await third.line('Health and metrics at')
    await third.line('starts from the beginning each time')
    const metrics = async () => (await fetch(`${url}/metrics`)).text()
    await until(async () => (await metrics()).includes('holdfast_job_warnings_total{kind="starts-over"} 1\n'), {
      deadline: 1_000 + SLOW_MACHINE,
      what: 'the warning is counted',
    })
  },
  TIMEOUT,
)

test(
  'a run is long by what its app says: show asks the config, and without one it does not guess',
  async () => {
    await using s = await stage()
    const tasks = `${TASKS.long}, jobs.iteration({ name: 'resumes', items: () => range(0, 9), each: () => sleep(60_000) })`
    await using app = await project({ 'holdfast.config.ts': config(tasks, ", policy: { maxRun: '1s' }") })
    await using patient = await project({ 'holdfast.config.ts': config(tasks, ", policy: { maxRun: '1h' }") })
    await using worker = work(s, app)
    const { pid } = await worker.line('Worker started')
    const ids = [await enqueue(s, app, 'long'), await enqueue(s, app, 'resumes')]
    await worker.line('any stop throws that away')
    await s.reached(ids[1] ?? '', 'running')
    await s.sql("update :schema.job set started_at = started_at - interval '20 minutes'")
    const [said, resumes, silent] = await Promise.all([
      show(s, app, ids[0] ?? ''),
      show(s, app, ids[1] ?? ''),
      show(s, patient, ids[0] ?? ''),
    ])
    expect(said.stdout).toMatch(/warning +Job has been running for 20m.*policy\.maxRun is 1s/)
    for (const { stdout } of [resumes, silent]) expect(stdout).not.toContain('warning')
    const place = { env: { DATABASE_URL: s.database } }
    const plain = await cliJson(['jobs', 'show', ids[0] ?? '', '--schema', s.schema], place)
    expect(plain).toMatchObject({ state: 'running', worries: [] })
    process.kill(Number(pid), 'SIGKILL')
  },
  TIMEOUT,
)

test(
  'show has the place of a loop that never gave way, also when the job completed later',
  async () => {
    await using s = await stage()
    const spin = `jobs.task({ name: 'spin', timeLimit: { soft: '500ms', hard: '700ms' }, retry: { limit: 1, backoff: '1ms' },
    async run(_, { job, log }) { await sleep(1); log.info('in run ' + job.run); if (job.run === 1) spinForEver() } })`
    const code = `function spinForEver() { for (;;); }\n${config(spin)}`
    await using app = await project({ 'holdfast.config.ts': code })
    await using worker = work(s, app)
    await worker.line('Worker started')
    const id = await enqueue(s, app, 'spin')
    expect(await s.ended(id)).toMatchObject({ state: 'completed', failures: 1, crashes: 0, interruptions: 0 })
    const { stdout } = await show(s, app, id)
    expect(stdout).toMatch(/ 1 +failed .*hard limit.*\n(.*\n)? +at spinForEver \(.*holdfast\.config\.ts:1:\d+\)\n/)
    expect(stdout).toMatch(/ info +in run 1\n/)
    expect(stdout).toMatch(/ 2 +completed .*\n +[\d:.]+ info +in run 2$/m)
  },
  TIMEOUT,
)

test(
  'a job that kills every process it runs in: two crashes, one more alone, parked until somebody retries it',
  async () => {
    await using s = await stage()
    const bad = `jobs.task({ name: 'bad', async run(_, { log, job }) { log.warn('run ' + job.run + ' äöü 🙂'); await sleep(20); process.exit(3) } })`
    const good = `jobs.task({ name: 'good', interrupt: 'restart', run: (_, { signal }) => sleep(1_500, undefined, { signal }) })`
    await using app = await project({ 'holdfast.config.ts': config(`${bad}, ${good}`) })
    await using worker = work(s, app)
    await worker.line('Worker started')
    const beside = await enqueue(s, app, 'good')
    await s.reached(beside, 'running')
    const id = await enqueue(s, app, 'bad')
    expect(await s.reached(id, 'parked')).toMatchObject({
      run: 3,
      crashes: 3,
      failures: 0,
      interruptions: 0,
      losses: 0,
    })
    // Whoever ran beside it is suspected at most, and completes.
    expect(await s.ended(beside)).toMatchObject({ state: 'completed', failures: 0 })
    const { stdout } = await show(s, app, id)
    expect(stdout).toMatch(/due +not by itself: `holdfast jobs retry /)
    expect(stdout).toMatch(/because +it kills the process it runs in, also when it runs alone: exited with code 3/)
    // What it said last, too, though it left no time to write it down.
    expect(stdout).toMatch(/ 1 +crashed .*exited with code 3\n +exitCode 3\n +[\d:.]+ warn +run 1 äöü 🙂\n/)
    expect(stdout).toMatch(/ 2 +crashed .*exited with code 3\n +exitCode 3\n +[\d:.]+ warn +run 2 äöü 🙂\n/)
    expect(stdout).toMatch(/ 3 +parked .*exited with code 3.*\n.*\n +[\d:.]+ warn +run 3 äöü 🙂$/m)
    const retried = await cli(['jobs', 'retry', id], { cwd: app.folder, env: envOf(s) })
    expect(retried.stdout).toContain('is ready again')
    // With a clean record: it takes as many crashes again.
    await until(async () => ((await s.find(id))?.run ?? 0) >= 4 && (await s.find(id))?.state === 'parked', {
      what: 'it is parked again',
    })
    expect(await s.find(id)).toMatchObject({ run: 6, crashes: 3 })
  },
  TIMEOUT,
)

test(
  'an isolated run that completes in its own transaction keeps its last line, and what it printed',
  async () => {
    await using s = await stage()
    const tell = `jobs.task({ name: 'tell', isolate: true, async run(_, { log, complete }) {
    log.info('before'); await complete(() => log.info('inside')) } })`
    const print = `jobs.task({ name: 'print', isolate: true, run() { console.log('printed') } })`
    await using app = await project({ 'holdfast.config.ts': config(`${tell}, ${print}`) })
    await using worker = work(s, app)
    await worker.line('Worker started')
    const ids = [await enqueue(s, app, 'tell'), await enqueue(s, app, 'print')]
    for (const id of ids) expect(await s.ended(id)).toMatchObject({ state: 'completed', run: 1 })
    const texts = await Promise.all(
      ids.map(async (id) => (await showTails(s.db, id, 1))[0]?.lines.map(({ text }) => text)),
    )
    expect(texts).toEqual([['before', 'inside'], [expect.stringContaining('printed')]])
  },
  TIMEOUT,
)
