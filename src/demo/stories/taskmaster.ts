import { eachOnce } from './notes.ts'
import type { Stage } from './stage.ts'

const ITEMS = 1_200
/** What a charge-card usually takes, and how many it takes to know that. */
const USUAL_MS = 100
const USUAL = 8
/** Longer than the ten seconds that stand for ten minutes. */
const CHARGE_MS = 14_000

/** An in-place deploy under supervisord: before, and with the gate. Ten minutes are ten seconds. */
export async function taskmaster(stage: Stage): Promise<void> {
  await stage.release(1)
  await stage.release(2, { itemMs: 3 })
  await stage.db.query('create table plain_queue (id serial primary key, task text, key text, ms int)')
  stage.step('Before: a plain worker. Its tasks leave the queue when they are taken, and it ends its task at SIGTERM')
  await stage.supervise([await stage.plainWorker('plain'), stage.worker('worker-1'), stage.worker('worker-2')])
  for (let n = 1; n <= USUAL; n++) await stage.enqueue('charge-card', `usual ${n}`, USUAL_MS)
  await before(stage)
  stage.step(
    'Now Holdfast: a charge-card hangs for fourteen minutes and cannot be interrupted; a rebuild-index runs, which can',
  )
  const index = await stage.enqueue('rebuild-index', 'index', ITEMS)
  await stage.noted('rebuild-index', index, 'item')
  await refused(stage)
  await passed(stage, index)
}

async function before(stage: Stage): Promise<void> {
  await stage.db.query(
    `insert into plain_queue (task, key, ms) values ('charge-card', 'plain', ${CHARGE_MS}), ('send-receipt', 'plain', 0)`,
  )
  const begun = await stage.noted('charge-card', 'plain', 'begin')
  stage.say(
    'Ten minutes are ten seconds here, also the stopwaitsecs of the plain worker. Its charge-card hangs for fourteen minutes, and a',
    'send-receipt waits behind it. Somebody deploys:',
    '',
  )
  const asked = Date.now()
  const restart = await stage.run('supervisorctl restart plain')
  const receipt = await stage.noted('send-receipt', 'plain', 'end')
  const blockedMs = receipt.at - asked
  const ended = stage.notes('charge-card', 'plain').filter(({ did }) => did === 'end')
  const { rows } = await stage.db.query("select from plain_queue where task = 'charge-card'")
  const { length: begins } = stage.notes('charge-card', 'plain')
  stage.say(
    `Nothing else ran for ${(blockedMs / 1_000).toFixed(1)} s; then the task was cut. The witness: charge-card began ${begins} time, and ended ${ended.length} times.`,
    'The card is charged or not, and nothing in the queue says that there was such a task.',
  )
  stage.fact('plain: the restart went through', restart.code === 0 && begun.at < asked)
  stage.fact('plain: nothing else ran for stopwaitsecs, 10 s', blockedMs >= 10_000)
  stage.fact('plain: the witness saw charge-card begin once and end never', begins === 1 && ended.length === 0)
  stage.fact('plain: it is lost: the queue does not have it any more', rows.length === 0)
}

async function refused(stage: Stage): Promise<void> {
  await stage.enqueue('charge-card', 'gated', CHARGE_MS)
  await stage.noted('charge-card', 'gated', 'begin')
  const prepare = stage.run("holdfast deploy prepare --timeout 10s --build release-2 --reason 'release 2' --ticket")
  await stage.until('the deploy waits', async () => (await stage.history())[0]?.state === 'preparing')
  await stage.enqueue('send-receipt', 'in the wait')
  const { code, out } = await prepare
  stage.say('Exit code 1: the developer aborts, and files the ticket. All go on:', '')
  await stage.noted('send-receipt', 'in the wait', 'end')
  await stage.noted('charge-card', 'gated', 'end')
  stage.say('  send-receipt, which had waited for the gate, has run; charge-card has come to its end.')
  const [row] = await stage.history()
  stage.fact('gate: charge-card in the way: exit code 1', code === 1)
  stage.fact('gate: the offender is named', /^ +charge-card +job /m.test(out) && !/^ +rebuild-index +job /m.test(out))
  stage.fact('gate: the history has it as aborted', row?.state === 'aborted' && row.why === 'the time was over')
  stage.fact('gate: charge-card began once and ended once', stage.notes('charge-card', 'gated').length === 2)
}

async function passed(stage: Stage, index: string): Promise<void> {
  stage.step('Later: only the rebuild-index runs')
  const gate = await stage.run("holdfast deploy prepare --timeout 10s --build release-2 --reason 'release 2'")
  const [held] = await stage.history()
  stage.step('Exit code 0: pull, migrate, restart, finish')
  const pull = await stage.run('ln -sfn release-2 current')
  const mark = await stage.run('holdfast deploy mark migrating')
  const migrate = await stage.run('holdfast migrate')
  const restart = await stage.run('supervisorctl restart worker-1 worker-2')
  await stage.workers('release-2', 2)
  const finish = await stage.run('holdfast deploy finish')
  await stage.noted('rebuild-index', index, 'end')
  const items = stage.notes('rebuild-index', index).filter(({ did }) => did === 'item')
  const old = items.filter(({ release }) => release === 1).length
  stage.say(`rebuild-index: release 1 did items 0 to ${old - 1}, release 2 went on with ${items[old]?.item}.`, '')
  await stage.run('holdfast deploy history')
  const [row] = await stage.history()
  const codes = [gate, pull, mark, migrate, restart, finish].map(({ code }) => code)
  stage.fact(
    'gate: only what can be interrupted runs: exit code 0',
    gate.code === 0 && gate.out.includes('1 job that can be interrupted goes on'),
  )
  stage.fact(
    'deploy: every command of it ended with 0',
    codes.every((code) => code === 0),
  )
  stage.fact('deploy: it held both workers', held?.held === 2)
  stage.fact(
    'deploy: release 2 went on where release 1 was',
    old > 0 && items[old]?.release === 2 && items[old]?.item === old,
  )
  stage.fact(
    `deploy: the witness saw each of ${ITEMS} items once`,
    eachOnce(
      items.map(({ item }) => item),
      ITEMS,
    ),
  )
  stage.fact('deploy: the history has it as finished', row?.state === 'finished' && row.number === held?.number)
}
