import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { memoryKills } from '../../src/engine/memory-kills.ts'
import { openMemoryGroup, PLACE } from '../support/memory-group.ts'
import { useStages } from '../support/stage.ts'
import { cli, cliJson, config, envOf, project, start } from './support.ts'

const stage = useStages()
const TIMEOUT = 180_000
// A worker takes a quarter of it at most: the system ends whoever has most.
const LIMIT = 1_200 * 2 ** 20
/** Outside of V8's heap, so that nobody but the system can say no. */
const EAT = `async run(_, { log }) { log.info('eating'); const held = []
  for (;;) { held.push(Buffer.alloc(16 * 2 ** 20, 1)); await sleep(2) } }`
const TASKS = `jobs.task({ name: 'eat', ${EAT} }), jobs.task({ name: 'eat-alone', isolate: true, ${EAT} }),
  jobs.task({ name: 'sit', interrupt: 'restart', run: (_, { signal }) => sleep(120_000, undefined, { signal }) })`
const NAMED = 'killed by SIGKILL (exit code 137): the system was out of memory (OOM killer)'

describe.runIf(typeof PLACE === 'object')('where the system kills for want of memory', () => {
  for (const task of ['eat', 'eat-alone']) {
    test(
      `a job that eats it all is named as what it is, alone in the end, and parked: ${task}`,
      async () => {
        await using s = await stage()
        await using group = openMemoryGroup(LIMIT)
        await using app = await project({ 'holdfast.config.ts': config(TASKS) })
        const at = { cwd: app.folder, env: envOf(s) }
        await using worker = start(['work', '--port', '0', '--build', 'b1'], { ...at, launcher: group.launcher })
        const { pid } = await worker.line('Worker started')
        const { url } = await worker.line('Health and metrics at')
        const { id } = await cliJson(['enqueue', task], at)
        expect(await s.reached(id, 'parked')).toMatchObject({ run: 3, crashes: 3, failures: 0, losses: 0 })
        // The fault struck: the system itself says so.
        expect(group.kills()).toBeGreaterThanOrEqual(3)
        const died = worker.lines.filter((line) => line['event'] === 'died')
        // Of its own process it knows a suspect's run only from its worker, which goes on.
        expect(died).toHaveLength(task === 'eat' ? 2 : 0)
        for (const line of died)
          expect(line).toMatchObject({ signal: 'SIGKILL', oom: 'system', msg: expect.stringContaining(NAMED) })
        const metrics = await (await fetch(`${url}/metrics`)).text()
        if (task === 'eat') expect(metrics).toContain('holdfast_worker_process_deaths_total{cause="out-of-memory"} 2\n')
        const { stdout } = await cli(['jobs', 'show', id], at)
        expect(stdout.split(NAMED).length - 1).toBeGreaterThanOrEqual(3)
        expect(stdout).toMatch(/ 1 +crashed .*OOM killer\).*\n +(code HF_CRASHED, )?signal SIGKILL, oom system\n/)
        // Of a process of its own the worker has every line; its own last ones may go with it.
        if (task === 'eat-alone') expect(stdout.match(/ info +eating\n/g)).toHaveLength(3)
        expect(stdout).toMatch(/because +it kills the process it runs in, also when it runs alone: killed by SIGKILL/)

        // And a kill by hand is none, there too, when the last one for want of memory is some seconds ago.
        await sleep(4_000)
        const sits = await cliJson(['enqueue', 'sit'], at)
        await s.reached(sits.id, 'running')
        const now = worker.lines.findLast((line) => line['event'] === 'started')?.['pid'] ?? pid
        process.kill(Number(now), 'SIGKILL')
        const killed = await worker.line(`Worker process ${now} is gone: killed by SIGKILL. `)
        expect(killed).not.toHaveProperty('oom')
        expect((await cli(['jobs', 'show', sits.id], at)).stdout).not.toMatch(/memory|oom/i)
      },
      TIMEOUT,
    )
  }
})

// Not skipped in silence: what this machine cannot show is said, and what is promised of such a machine is tested.
test.runIf(typeof PLACE === 'string')(
  `this machine cannot show a kill for want of memory (${String(PLACE)}): a kill is none, or unknown`,
  async () => {
    await using s = await stage()
    await using app = await project({ 'holdfast.config.ts': config(TASKS) })
    const at = { cwd: app.folder, env: envOf(s) }
    await using worker = start(['work'], at)
    const { pid } = await worker.line('Worker started')
    const { id } = await cliJson(['enqueue', 'sit'], at)
    await s.reached(id, 'running')
    process.kill(Number(pid), 'SIGKILL')
    const rest = memoryKills() === undefined ? ': whether for want of memory is unknown' : ''
    await worker.line(`Worker process ${pid} is gone: killed by SIGKILL${rest}. `)
    expect((await cli(['jobs', 'show', id], at)).stdout).not.toContain('OOM killer')
  },
  TIMEOUT,
)
