import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { config, MAIN, project, Running } from './support.ts'

const stage = useStages()
const UNSHARE = ['unshare', '--pid', '--fork', '--mount-proc'] as const
/** A namespace of processes takes a right that containers and ordinary users may lack. */
const allowed = spawnSync(UNSHARE[0], [...UNSHARE.slice(1), 'true']).status === 0

test.runIf(allowed)(
  'as the first process of a container: collects orphans, passes signals on, leaves with 0',
  async () => {
    await using s = await stage()
    // What a job starts and forgets is handed to the first process when its parent ends.
    const orphan = `jobs.task({ name: 'orphan', queue: 'bulk', run() { spawn('sh', ['-c', 'sleep 0.1 & exit'], { detached: true }).unref() } })`
    const source = `import { spawn } from 'node:child_process'\n${config(orphan)}`
    await using app = await project({ 'holdfast.config.ts': source })
    const env = { PATH: process.env['PATH'], DATABASE_URL: s.database, TEST_SCHEMA: s.schema }
    const [program, ...args] = UNSHARE
    const child = spawn(program, [...args, process.execPath, '--no-warnings', MAIN, 'work', '--json'], {
      cwd: app.folder,
      env,
    })
    await using worker = new Running(child)
    await worker.line('Worker started')
    const first = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim())
    const jobs = s.holdfast({ queues: { bulk: {} } })
    const ids = await Promise.all(
      Array.from({ length: 5 }, () => jobs.enqueue(jobs.contract({ name: 'orphan', queue: 'bulk' }))),
    )
    for (const { id } of ids) await s.ended(id)
    await until(() => !zombies(first), { what: 'no zombie is left' })
    process.kill(first, 'SIGTERM')
    expect(await worker.ended()).toBe(0)
    expect(worker.lines.at(-1)).toMatchObject({ event: 'stopped' })
  },
)

/** Whether a child of this process is dead and was not collected. */
function zombies(parent: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'state=', '--ppid', String(parent)], { encoding: 'utf8' })
  return stdout.includes('Z')
}
