import type { Bench, BenchCase } from '../support/case.ts'
import { type Message, startChild } from '../support/child.ts'
import { check, type Row } from '../support/result.ts'
import { settle } from '../support/server.ts'
import { summarize } from '../support/statistics.ts'
import { holdfast } from '../systems/holdfast.ts'

const BATCH = 500

/** One pair in `programs/iterate.ts`; all times in ms. */
interface Periodic extends Message {
  readonly bare: number
  readonly ours: number
  /** The same with an `each` that is an async function. */
  readonly bareAwaited: number
  readonly oursAwaited: number
  /** Items done in each of the four. */
  readonly items: number
}

interface Transactional extends Message {
  readonly plain: number
  readonly withCursor: number
  readonly ours: number
  readonly stored: readonly number[]
}

export const iteration: BenchCase = {
  name: 'iteration',
  what: '1,000,000 no-op items with periodic checkpoints; transactional batches of 500 rows',
  rivals: false,
  run,
}

async function run({ server, pairs, quick, say }: Bench) {
  const items = quick ? 200_000 : 1_000_000
  const rows = quick ? 20_000 : 200_000
  const url = await server.create('iteration')
  await holdfast.prepare(url)
  await settle(server, url)
  await using child = startChild('iterate', { url, items, rows, batch: BATCH })
  await child.heard('ready')
  // The first round of each warms the code up.
  await child.ask({ said: 'periodic' })
  await child.ask({ said: 'transactional' })
  const periodic: Periodic[] = []
  const transactional: Transactional[] = []
  for (let pair = 0; pair < pairs; pair++) {
    const oursFirst = pair % 2 === 1
    periodic.push(await child.ask<Periodic>({ said: 'periodic', oursFirst }))
    await server.checkpoint()
    transactional.push(await child.ask<Transactional>({ said: 'transactional', oursFirst }))
    const [one, other] = [periodic.at(-1), transactional.at(-1)]
    say(
      `${pair + 1}/${pairs} ${one?.ours.toFixed(0)} ms against ${one?.bare.toFixed(0)}, ${other?.ours.toFixed(0)} ms against ${other?.plain.toFixed(0)}`,
    )
  }
  await child.ask({ said: 'stop' })
  await server.drop('iteration')

  const micros = (ms: number) => (ms * 1_000) / items
  const overhead = summarize(periodic.map(({ bare, ours }) => micros(ours - bare)))
  const overheadAwaited = summarize(periodic.map(({ bareAwaited, oursAwaited }) => micros(oursAwaited - bareAwaited)))
  const ratio = summarize(transactional.map(({ plain, ours }) => ours / plain))
  const perItem = (ms: number[]): Row => row(ms.map(micros), 'µs/item')
  const perBatch = (ms: number[]): Row =>
    row(
      ms.map((each) => each / (rows / BATCH)),
      'ms/batch',
    )
  return {
    settings: { items, rows, batch: BATCH, source: 'range', checkpointEveryMs: 1_000 },
    rows: [
      { what: 'items: bare for await', ...perItem(periodic.map(({ bare }) => bare)) },
      { what: 'items: iteration', ...perItem(periodic.map(({ ours }) => ours)) },
      { what: 'items: bare for await, async work', ...perItem(periodic.map(({ bareAwaited }) => bareAwaited)) },
      { what: 'items: iteration, async work', ...perItem(periodic.map(({ oursAwaited }) => oursAwaited)) },
      { what: 'batches: hand-written loop', ...perBatch(transactional.map(({ plain }) => plain)) },
      {
        what: 'batches: hand-written loop that saves a cursor',
        ...perBatch(transactional.map(({ withCursor }) => withCursor)),
      },
      { what: 'batches: iteration', ...perBatch(transactional.map(({ ours }) => ours)) },
    ],
    targets: [
      {
        what: 'periodic, over a bare for await',
        measured: overhead.median,
        unit: ' µs/item',
        needed: 2,
        bound: 'at most' as const,
        spread: overhead,
      },
      {
        what: 'the same with async work',
        measured: overheadAwaited.median,
        unit: ' µs/item',
        needed: 2,
        bound: 'at most' as const,
        spread: overheadAwaited,
      },
      {
        what: 'transactional, against the hand-written loop',
        measured: ratio.median,
        unit: ' ×',
        needed: 1.3,
        bound: 'at most' as const,
        spread: ratio,
      },
    ],
    checks: [
      check(
        'every item was done, once',
        periodic.every((each) => each.items === items),
        periodic.map((each) => each.items).join(', '),
      ),
      check(
        'each loop stored every row',
        transactional.every(({ stored }) => stored.every((count) => count === rows)),
        transactional.map(({ stored }) => stored.join('/')).join(', '),
      ),
    ],
    raw: { periodic, transactional },
  }
}

function row(values: readonly number[], unit: string): Row {
  const { median, min, max } = summarize(values)
  return { median, min, max, unit }
}
