import type { Stage } from './stage.ts'

/** Ours, so that the story ends; the default is half an hour. */
const HOLD = '6s'
/** What a deploy that waits outlives its command at most; and room for the workers to hear of it, on a busy machine. */
const EXPIRY_MS = 15_000
const ROOM_MS = 10_000

/** The script that deploys is killed at each of the moments at which that could hurt. */
export async function deadScript(stage: Stage): Promise<void> {
  await stage.release(1)
  await stage.release(2)
  stage.step('A worker of release 1, with a charge-card on it that a deploy has to wait for')
  await stage.supervise([stage.worker('worker-1')])
  await beforeSuccess(stage)
  await afterSuccess(stage)
  await inMigration(stage)
}

async function beforeSuccess(stage: Stage): Promise<void> {
  await stage.enqueue('charge-card', 'long', 20_000)
  await stage.noted('charge-card', 'long', 'begin')
  stage.step('Killed while it waits')
  const script = stage.start("holdfast deploy prepare --reason 'release 2' && sleep 60")
  await stage.until('it waits', () => script.out.includes('to end'))
  script.kill()
  const killed = Date.now()
  const [waiting] = await stage.history()
  stage.say(`SIGKILL to all of it: exit code ${await script.ended}. A receipt is due:`, '')
  await stage.enqueue('send-receipt', 'one')
  await stage.run('holdfast deploy status')
  const receipt = await stage.noted('send-receipt', 'one', 'end')
  const ms = receipt.at - killed
  stage.say(`The receipt went out ${(ms / 1_000).toFixed(1)} s after the kill: the hold has expired.`)
  const [row] = await stage.history()
  const expiry = waiting?.expires_at.getTime() ?? 0
  stage.fact(
    'in the wait: the deploy waited when its script died',
    waiting?.state === 'preparing' && waiting.held === 1,
  )
  stage.fact('in the wait: nothing was claimed while the hold lasted', receipt.at >= expiry)
  stage.fact('in the wait: within 15 s of the kill the hold was over', expiry <= killed + EXPIRY_MS)
  stage.fact('in the wait: then all claim again', receipt.at <= expiry + ROOM_MS)
  stage.fact('in the wait: the history has it as expired', row?.number === 1 && row.state === 'expired')
  await stage.noted('charge-card', 'long', 'end')
}

async function afterSuccess(stage: Stage): Promise<void> {
  stage.step(`Killed when the way was free: the hold lives by itself, for its ${HOLD}`)
  const script = stage.start(`holdfast deploy prepare --hold ${HOLD} --reason 'release 2, again' && sleep 60`)
  await stage.until('the way is free', () => script.out.includes('deploy abort'))
  script.kill()
  stage.say(`SIGKILL to all of it: exit code ${await script.ended}. A receipt is due:`, '')
  await stage.enqueue('send-receipt', 'two')
  const [held] = await stage.history()
  const receipt = await stage.noted('send-receipt', 'two', 'end')
  const holdUntil = held?.expires_at.getTime() ?? 0
  stage.say('It goes out when the hold is over.', '')
  const [row] = await stage.history()
  stage.fact('way free: the hold outlived its script', held?.number === 2 && held.state === 'held' && held.held === 1)
  stage.fact('way free: nothing was claimed before its end', receipt.at >= holdUntil)
  stage.fact('way free: then all claim again', receipt.at <= holdUntil + ROOM_MS)
  stage.fact('way free: the history has it as expired', row?.number === 2 && row.state === 'expired')
}

async function inMigration(stage: Stage): Promise<void> {
  stage.step('Killed in the migration: the old build must not run on a schema that it does not know')
  const line = `holdfast deploy prepare --hold ${HOLD} --build release-2 --reason 'release 2, once more' > said && holdfast deploy mark migrating && sleep 60`
  const script = stage.start(line)
  await stage.until('it is marked', () => script.out.includes('is migrating'))
  script.kill()
  stage.say(`SIGKILL to all of it: exit code ${await script.ended}. A receipt is due, and the hold runs out:`, '')
  await stage.enqueue('send-receipt', 'three')
  const alert = await stage.alert('worker-1', 'had begun to migrate, and its time has run out')
  stage.say('worker-1.log:', `    ${alert}`, '')
  const status = await stage.run('holdfast deploy status')
  const heldBack = stage.notes('send-receipt', 'three').length === 0
  stage.say('A person goes on where the script died:', '')
  await stage.run('holdfast migrate')
  await stage.run('ln -sfn release-2 current')
  await stage.run('supervisorctl restart worker-1')
  const finish = await stage.run('holdfast deploy finish')
  const receipt = await stage.noted('send-receipt', 'three', 'end')
  await stage.run('holdfast deploy history')
  const [row] = await stage.history()
  stage.fact(
    'migration: the old build ran nothing when the hold was over',
    heldBack && status.out.includes('has run out'),
  )
  stage.fact('migration: it said so in its log, with what to do', alert.includes('holdfast deploy finish 3'))
  stage.fact(
    'migration: the new build ran the receipt, once',
    receipt.release === 2 && stage.notes('send-receipt', 'three').length === 1,
  )
  stage.fact('migration: deploy finish ends it: exit code 0', finish.code === 0)
  stage.fact('migration: the history has it as finished', row?.number === 3 && row.state === 'finished')
}
