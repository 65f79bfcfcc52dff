import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { HoldfastError } from '../../src/index.ts'
import { square } from '../fixtures/apps/pooled.ts'
import { createWitness } from '../support/witness.ts'
import type { WorkerProcess } from '../support/worker-process.ts'
import { type PooledStage, usePooledStages } from './pooled.ts'
import { expectWhole, startWorker, underWay } from './work.ts'

const stages = usePooledStages()

interface Struck {
  readonly worker: WorkerProcess
  /** Error codes that the producer got. */
  readonly refused: readonly string[]
  /** Sessions of the pool, before and after. */
  readonly sessions: readonly [readonly number[], readonly number[]]
}

/** What an operator or an accident does to a pooler while work goes on, and how one sees that it struck. */
const TROUBLE: Record<string, { strike(stage: PooledStage): Promise<unknown>; struck(what: Struck): void }> = {
  'its sessions are replaced by new ones (RECONNECT), again and again': {
    async strike({ pooler }) {
      for (let turn = 0; turn < 5; turn++) {
        await pooler.admin('reconnect')
        await sleep(200)
      }
    },
    struck: ({ sessions: [before, after] }) => expect(after.filter((pid) => before.includes(pid))).toEqual([]),
  },
  'the server ends all its sessions, again and again': {
    async strike(stage) {
      for (let turn = 0; turn < 5; turn++) {
        await stage.sql('select pg_terminate_backend(pid) from unnest($1::int[]) as pid', [await sessions(stage)])
        await sleep(200)
      }
    },
    struck: ({ worker, sessions: [before, after] }) => {
      expect(after.filter((pid) => before.includes(pid))).toEqual([])
      expect(troubleOf(worker)).toMatch(/due to administrator command|server conn crashed/)
    },
  },
  'it is restarted, and restarted again': {
    async strike({ pooler }) {
      await pooler.restart()
      await sleep(300)
      await pooler.restart(700)
    },
    struck: ({ worker, refused }) => {
      expect(refused).toContain('HF_DATABASE_DOWN')
      expect(troubleOf(worker)).toContain('ECONNREFUSED')
    },
  },
  'it is paused for longer than the lease': {
    async strike({ pooler }) {
      await pooler.admin('pause')
      await sleep(2_800)
      await pooler.admin('resume')
    },
    struck: ({ worker }) =>
      expect(worker.log.map(({ msg }) => msg)).toContain('This worker goes on as a new incarnation'),
  },
}

async function sessions({ pooler }: PooledStage): Promise<number[]> {
  return (await pooler.admin<{ remote_pid: number }>('show servers')).map((server) => server.remote_pid)
}

function troubleOf(worker: WorkerProcess): string {
  return worker.log.map(({ msg }) => msg).join('\n')
}

test.for(Object.entries(TROUBLE))('goes on by itself, and nothing is lost, when %s', async ([, { strike, struck }]) => {
  await using stage = await stages()
  using witness = createWitness()
  await using worker = await startWorker(stage, witness, 'only')
  const work = await underWay(stage, witness, 'only')

  const accepted: { id: string; n: number }[] = []
  const refused: string[] = []
  let over = false
  const produce = async () => {
    for (let n = 0; !over; n++) {
      await work.jobs.enqueue(square, { n }).then(
        ({ id }) => accepted.push({ id, n }),
        ({ code }: HoldfastError) => refused.push(code),
      )
      await sleep(5)
    }
  }
  const producing = produce()
  const before = await sessions(stage)
  await strike(stage)
  const after = await sessions(stage)
  over = true
  await producing

  await expectWhole(stage, witness, work)
  expect(accepted.length).toBeGreaterThan(0)
  for (const { id, n } of accepted) {
    expect(await stage.ended(id)).toMatchObject({ state: 'completed', failures: 0, result: n * n })
  }
  for (const code of refused) expect(code).toMatch(/^HF_(ENQUEUE_UNKNOWN|DATABASE_DOWN)$/)
  struck({ worker, refused, sessions: [before, after] })
  expect(worker.ended).toBeUndefined()
  expect(await stage.leftovers()).toEqual([])
})
