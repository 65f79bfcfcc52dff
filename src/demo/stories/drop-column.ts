import { eachOnce } from './notes.ts'
import type { Stage } from './stage.ts'

/** At 25 ms each, 10.8 s: three hours in which a second is a thousandth of one. */
const ITEMS = 432
const ENOUGH_ERRORS = 3

const CREATE = `
  drop table if exists invoice;
  create table invoice (job text not null, item int not null, total int not null, old_total int)`

/** A migration that the old code must not meet: without the gate, and with it. */
export async function dropColumn(stage: Stage): Promise<void> {
  await stage.release(1, { itemMs: 25 })
  await stage.release(2, { itemMs: 4, oldColumn: false })
  await stage.db.query(CREATE)
  stage.step('Without the gate: settle-orders, a job of three hours, writes the column old_total. Release 2 drops it')
  await stage.supervise([stage.worker('worker-1')])
  await plain(stage)

  await stage.silently('ln -sfn release-1 current && supervisorctl restart worker-1')
  await stage.workers('release-1', 1)
  await stage.db.query(CREATE)
  stage.step('The same again, with the gate: once more release 1, and the column')
  await gated(stage)
}

async function plain(stage: Stage): Promise<void> {
  const job = await stage.enqueue('settle-orders', 'plain', ITEMS)
  await stage.until('it is in the middle', () => itemsOf(stage, job).length > 30)
  await stage.run(`node ${stage.migration}`)
  const errors = () => stage.notes('settle-orders', job).filter(({ did }) => did === 'error').length
  await stage.until('errors', () => errors() >= ENOUGH_ERRORS)
  await stage.run('ln -sfn release-2 current && supervisorctl restart worker-1')
  await stage.noted('settle-orders', job, 'end')
  stage.say(
    `Between the migration and the restart, the job failed ${errors()} times: column "old_total" does not exist.`,
  )
  stage.fact(`plain: the old build met the new schema: ${errors()} errors`, errors() >= ENOUGH_ERRORS)
}

async function gated(stage: Stage): Promise<void> {
  const job = await stage.enqueue('settle-orders', 'gated', ITEMS)
  await stage.until('it is in the middle', () => itemsOf(stage, job).length > 30)
  const steps = `node ${stage.migration} && ln -sfn release-2 current && supervisorctl restart worker-1`
  const ran = await stage.run(
    `holdfast deploy run --require idle --build release-2 --reason 'drop old_total' -- sh -c '${steps}'`,
  )
  await stage.noted('settle-orders', job, 'end')
  await stage.until('it has ended', async () => (await stage.stateOf(job)) === 'ended')
  const shown = await stage.run(`holdfast jobs show ${job}`)
  await stage.run('holdfast deploy history')

  const notes = stage.notes('settle-orders', job)
  const items = itemsOf(stage, job)
  const old = items.filter(({ release }) => release === 1).length
  const { rows } = await stage.db.query('select item from invoice where job = $1', [job])
  const [row] = await stage.history()
  stage.fact('gate: deploy run ended with 0', ran.code === 0)
  stage.fact(
    'gate: no error',
    notes.every(({ did }) => did !== 'error'),
  )
  stage.fact('gate: release 1 began the job, release 2 ended it', old > 0 && old < ITEMS)
  stage.fact(
    `gate: the witness saw each of ${ITEMS} items once`,
    eachOnce(
      items.map(({ item }) => item),
      ITEMS,
    ),
  )
  stage.fact(
    `gate: the table has each of ${ITEMS} items once, without a constraint`,
    eachOnce(
      (rows as { item: number }[]).map(({ item }) => item),
      ITEMS,
    ),
  )
  stage.fact(
    'gate: the job ended once, completed',
    notes.filter(({ did }) => did === 'end').length === 1 && shown.out.includes('completed'),
  )
  stage.fact('gate: the history has the deploy as finished', row?.state === 'finished' && row.require === 'idle')
}

function itemsOf(stage: Stage, job: string) {
  return stage.notes('settle-orders', job).filter(({ did }) => did === 'item')
}
