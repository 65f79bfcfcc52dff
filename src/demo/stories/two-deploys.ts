import type { Stage } from './stage.ts'

/** The second of two deploys is refused, and says whose the first one is. */
export async function twoDeploys(stage: Stage): Promise<void> {
  await stage.release(1)
  stage.step('A worker, with a rebuild-index on it')
  await stage.supervise([stage.worker('worker-1')])
  const index = await stage.enqueue('rebuild-index', 'index', 100_000)
  await stage.noted('rebuild-index', index, 'item')

  stage.step('Anna deploys')
  const first = await stage.run("holdfast deploy prepare --reason 'release 2, by Anna'")
  const [held] = await stage.history()

  stage.step('So does Ben')
  const second = await stage.run("holdfast deploy prepare --reason 'release 3, by Ben'")
  const dry = await stage.run("holdfast deploy prepare --dry-run --reason 'release 3, by Ben'")
  const still = await stage.history()
  await stage.enqueue('send-receipt', 'meanwhile')
  const status = await stage.run('holdfast deploy status')
  const ranMeanwhile = stage.notes('send-receipt', 'meanwhile').length

  stage.step('Anna is done; now Ben may')
  await stage.run('holdfast deploy finish')
  await stage.noted('send-receipt', 'meanwhile', 'end')
  const third = await stage.run("holdfast deploy prepare --reason 'release 3, by Ben'")
  await stage.run('holdfast deploy finish')
  await stage.run('holdfast deploy history')

  const rows = await stage.history()
  const named = (text: string) => text.includes(`Deploy ${held?.number} of ${held?.owner} (release 2, by Anna)`)
  stage.fact('the first passes: exit code 0', first.code === 0 && held?.state === 'held')
  stage.fact('the second is refused: exit code 1', second.code === 1)
  stage.fact('it says the number, the owner and the reason of the first', named(second.out))
  stage.fact('a dry run says the same: exit code 1', dry.code === 1 && named(dry.out))
  stage.fact(
    'the first is as it was, and its workers are held',
    still.length === 1 && still[0]?.held === 1 && status.code === 0,
  )
  stage.fact('the witness saw nothing start meanwhile', ranMeanwhile === 0)
  stage.fact('after the first has finished, the second passes: exit code 0', third.code === 0)
  stage.fact(
    'the history has both, finished; a refused one was none',
    rows.map(({ state, reason }) => `${reason} ${state}`).join() ===
      'release 3, by Ben finished,release 2, by Anna finished',
  )
}
