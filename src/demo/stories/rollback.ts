import type { Stage } from './stage.ts'

/** A bad build goes out by the gate, and the old one comes back by the same gate. */
export async function rollback(stage: Stage): Promise<void> {
  await stage.release(1)
  await stage.release(2, { broken: true })
  stage.step('Release 1 sends receipts')
  await stage.supervise([stage.worker('worker-1')])
  await stage.enqueue('send-receipt', 'first')
  await stage.noted('send-receipt', 'first', 'end')

  stage.step('Release 2 goes out. Nobody has noticed that it is broken')
  const out = await stage.run(deployLine(2, 'release 2'))
  await stage.workers('release-2', 1)
  const id = await stage.enqueue('send-receipt', 'second')
  await stage.noted('send-receipt', 'second', 'error')
  await stage.until('it waits for a retry', async () => (await stage.stateOf(id)) === 'waiting')
  stage.say('A receipt fails, and waits for its retry:', '')
  const seen = await stage.run('holdfast jobs list')

  stage.step('Back to release 1: the same line, with the old build')
  const back = await stage.run(deployLine(1, 'release 2 is broken, back to release 1'))
  await stage.workers('release-1', 1)
  const mended = await stage.noted('send-receipt', 'second', 'end')
  stage.say('The receipt is sent, by its retry:', '')
  await stage.until('it has ended', async () => (await stage.stateOf(id)) === 'ended')
  const done = await stage.run(`holdfast jobs show ${id}`)
  await stage.run('holdfast deploy history')

  const rows = await stage.history()
  const notes = stage.notes('send-receipt', 'second')
  const failed = notes.filter(({ did }) => did === 'error')
  stage.fact('the bad build went out by the gate: exit code 0', out.code === 0)
  stage.fact(
    'the receipt failed under release 2 only',
    failed.length > 0 && failed.every(({ release }) => release === 2),
  )
  stage.fact('the failed job is not lost: it waits for its retry', seen.out.includes(id))
  stage.fact('the way back is the same gate: exit code 0', back.code === 0)
  const ends = notes.filter(({ did }) => did === 'end').length
  stage.fact('the witness saw the receipt sent once, by release 1', ends === 1 && mended.release === 1)
  stage.fact('its job is completed', done.out.includes('completed'))
  stage.fact(
    'the history has both, finished, each with its build and its reason',
    rows.map(({ state, build, reason }) => `${state} ${build} ${reason}`).join() ===
      'finished release-1 release 2 is broken, back to release 1,finished release-2 release 2',
  )
}

function deployLine(release: number, reason: string): string {
  const steps = `ln -sfn release-${release} current && supervisorctl restart worker-1`
  return `holdfast deploy run --build release-${release} --reason '${reason}' -- sh -c '${steps}'`
}
