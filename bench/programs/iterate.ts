/** Iterations on a worker against the same loops written by hand, in one process, one after the other. */
import pg from 'pg'
import { holdfast } from '../../src/index.ts'
import { batches, range } from '../../src/sources.ts'
import { startWork } from '../../src/worker.ts'
import { now } from '../support/clock.ts'
import { answer, config, say } from '../support/inside.ts'
import { number } from '../support/server.ts'
import { quiet } from '../systems/holdfast.ts'

const { url, items, rows, batch } = config<{ url: string; items: number; rows: number; batch: number }>()

let done = 0
const each = (): void => {
  done++
}
const eachAsync = async (): Promise<void> => {
  done++
}
const context = { signal: new AbortController().signal, warn: () => {} } as never
const bySource = () => batches(range(0, rows), batch)
let begun = 0
let finish: (ms: number) => void = () => {}

const jobs = holdfast({ database: url })
const plain = jobs.iteration({
  name: 'plain',
  checkpoint: 'periodic',
  items: () => {
    begun = now()
    return range(0, items)
  },
  each,
  done: () => finish(now() - begun),
})
const awaited = jobs.iteration({
  name: 'awaited',
  checkpoint: 'periodic',
  items: () => {
    begun = now()
    return range(0, items)
  },
  each: eachAsync,
  done: () => finish(now() - begun),
})
const transactional = jobs.iteration({
  name: 'transactional',
  items: () => {
    begun = now()
    return bySource()
  },
  each: (numbers, { tx }) => insert(tx, numbers),
  done: () => finish(now() - begun),
})
const worker = await startWork(jobs.app({ tasks: [plain, awaited, transactional] }), { log: quiet })
const client = new pg.Client(url)
await client.connect()
await client.query('create table imported (id integer not null, name text not null, amount integer not null)')
await client.query('create table cursors (job integer primary key, cursor json not null)')
await client.query(`insert into cursors values (1, '{}')`)

interface Connection {
  query(text: string, values: unknown[]): Promise<unknown>
}

function insert(on: Connection, numbers: readonly number[]): Promise<unknown> {
  return on.query('insert into imported (id, name, amount) select * from unnest($1::int[], $2::text[], $3::int[])', [
    numbers,
    numbers.map((n) => `customer ${n}`),
    numbers.map((n) => n % 1_000),
  ])
}

/** From the moment at which the worker opens the collection, until everything is done and saved. */
async function onWorker(task: typeof plain | typeof awaited | typeof transactional): Promise<number> {
  const ended = new Promise<number>((resolve) => {
    finish = resolve
  })
  await jobs.enqueue(task)
  return ended
}

async function bareLoop(): Promise<number> {
  const start = now()
  for await (const _ of range(0, items).open(undefined, context)) each()
  return now() - start
}

async function bareAwaitedLoop(): Promise<number> {
  const start = now()
  for await (const _ of range(0, items).open(undefined, context)) await eachAsync()
  return now() - start
}

async function byHand(withCursor: boolean): Promise<number> {
  const start = now()
  for await (const { item, cursor } of bySource().open(undefined, context)) {
    await client.query('begin')
    await insert(client, item)
    if (withCursor) await client.query('update cursors set cursor = $1 where job = 1', [JSON.stringify(cursor)])
    await client.query('commit')
  }
  return now() - start
}

/** The rows that `loop` left behind are counted, then removed. */
async function counted(loop: () => Promise<number>): Promise<[ms: number, stored: number]> {
  await client.query('truncate imported')
  const ms = await loop()
  return [ms, await number(client, 'select count(*) from imported')]
}

answer({
  periodic: async ({ oursFirst }) => {
    done = 0
    const loops = [
      ['bare', bareLoop],
      ['bareAwaited', bareAwaitedLoop],
      ['ours', () => onWorker(plain)],
      ['oursAwaited', () => onWorker(awaited)],
    ] as const
    const times: Record<string, number> = {}
    for (const [name, loop] of oursFirst ? loops.toReversed() : loops) times[name] = await loop()
    say('periodic', { ...times, items: done / loops.length })
  },
  transactional: async ({ oursFirst }) => {
    const loops = [
      ['plain', () => byHand(false)],
      ['withCursor', () => byHand(true)],
      ['ours', () => onWorker(transactional)],
    ] as const
    const times: Record<string, number> = {}
    const stored: number[] = []
    for (const [name, loop] of oursFirst ? loops.toReversed() : loops) {
      const [ms, count] = await counted(loop)
      times[name] = ms
      stored.push(count)
    }
    say('transactional', { ...times, stored })
  },
  stop: async () => {
    await worker.shutdown()
    await jobs.close()
    await client.end()
    say('stop')
    process.disconnect?.()
    process.exit(0)
  },
})
say('ready')
