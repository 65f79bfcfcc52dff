import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { config, project, start } from './support.ts'

const stage = useStages()
// Processes that start processes, on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 120_000 })

const UNSHARE = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'] as const
/** A namespace of processes takes a right that containers and ordinary users may lack. Undefined: it is there. */
const refusal = whyNot()

const TASKS = [
  // What a job starts and forgets is handed to the first process when its parent ends.
  `jobs.task({ name: 'orphan', queue: 'bulk', run() { spawn('sh', ['-c', 'sleep 600 & exit'], { detached: true }).unref() } })`,
  `jobs.task({ name: 'report', queue: 'bulk', timeLimit: '20s', async run() { while (!existsSync('end')) await sleep(20) } })`,
]
const CONFIG = `import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
${config(TASKS.join(', '))}`

/** `holdfast work` in a folder of its own, started by `launcher`. */
async function openContainer(launcher: readonly string[] = UNSHARE) {
  const closing = new AsyncDisposableStack()
  const s = closing.use(await stage())
  const { folder } = closing.use(await project({ 'holdfast.config.ts': CONFIG }))
  const env = { DATABASE_URL: s.database, TEST_SCHEMA: s.schema, HOLDFAST_GRACE: '30s' }
  const worker = closing.use(start(['work', '--json'], { cwd: folder, env, launcher }))
  const jobs = s.holdfast({ queues: { bulk: {} } })
  return {
    s,
    worker,
    /** As this side of the wall counts. */
    first: () => childrenOf(worker.child.pid as number)[0],
    enqueue: async (task: string) => (await jobs.enqueue(jobs.contract({ name: task, queue: 'bulk' }))).id,
    /** Lets reports end. */
    end: () => writeFile(path.join(folder, 'end'), ''),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

describe.runIf(refusal === undefined)('as the first process of a container', () => {
  test('it collects orphans, passes a signal on, and leaves with 0', async () => {
    await using container = await openContainer()
    const { s, worker } = container
    await worker.line('Worker started')
    const first = container.first() as number
    const ids = await Promise.all(Array.from({ length: 5 }, () => container.enqueue('orphan')))
    for (const id of ids) await s.ended(id)
    const sleeps = () => childrenOf(first).filter((pid) => nameOf(pid) === 'sleep')
    await until(() => sleeps().length === ids.length, { what: 'the first process was handed every orphan' })
    for (const pid of sleeps()) {
      process.kill(pid, 'SIGKILL')
      // What is dead and not collected still has its place there.
      await until(() => !existsSync(`/proc/${pid}`), { what: `orphan ${pid} is collected`, deadline: 10_000 })
    }
    process.kill(first, 'SIGTERM')
    expect(await worker.ended()).toBe(0)
    expect(worker.lines.at(-1)).toMatchObject({ event: 'stopped' })
  })

  test('SIGTERM while its worker process still loads: it leaves with 0, and nothing had begun', async () => {
    await using container = await openContainer()
    const { worker } = container
    const supervisor = () => childrenOf(container.first())[0]
    await until(() => childrenOf(supervisor()).length > 0, { what: 'the supervisor has started a worker process' })
    expect(worker.stdout, 'INVALID: it had started already').not.toContain('Worker started')
    process.kill(container.first() as number, 'SIGTERM')
    expect(await worker.ended(), worker.said).toBe(0)
    expect(worker.lines.at(-1)).toMatchObject({ event: 'stopped', msg: expect.stringContaining('Stopped by SIGTERM') })
    expect(worker.stdout).not.toContain('Worker started')
  })

  test('SIGTERM twice: the second one is heard and changes nothing', async () => {
    await using container = await openContainer()
    const { s, worker } = container
    await worker.line('Worker started')
    const id = await container.enqueue('report')
    await s.reached(id, 'running')
    const first = container.first() as number
    process.kill(first, 'SIGTERM')
    await worker.line('Stopping by SIGTERM')
    process.kill(first, 'SIGTERM')
    await worker.line('SIGTERM again: 1 run left to hand off')
    await container.end()
    expect(await worker.ended(), worker.said).toBe(0)
    expect(worker.lines.at(-1)).toMatchObject({ event: 'stopped', finished: 1, left: 0 })
    expect(await s.find(id)).toMatchObject({ state: 'completed', run: 1 })
  })
})

// Not skipped in silence: what this machine cannot show is said, and what is promised of such a machine is tested.
test.runIf(refusal !== undefined)(
  `this machine cannot show the first process of a container (${refusal}): any other process stays what it is`,
  async () => {
    await using container = await openContainer([])
    const { worker } = container
    await worker.line('Worker started')
    const { stdout } = spawnSync('ps', ['-o', 'args=', '-p', String(worker.child.pid)], { encoding: 'utf8' })
    expect(stdout).toContain(process.execPath)
    expect(stdout).not.toContain('wait $child')
    worker.child.kill('SIGTERM')
    expect(await worker.ended()).toBe(0)
  },
)

function whyNot(): string | undefined {
  const { status, stderr, error } = spawnSync(UNSHARE[0], [...UNSHARE.slice(1), 'true'], { encoding: 'utf8' })
  return status === 0 ? undefined : (error?.message ?? stderr.trim())
}

function childrenOf(pid: number | undefined): number[] {
  if (pid === undefined) return []
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    return ''
  }
}
