import { expect, test } from 'vitest'
import { timeline } from '../../src/cli/jobs-timeline.ts'
import { showJob } from '../../src/store/reports.ts'
import { isRunning } from '../support/processes.ts'
import { useStages } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { expectedOf, MODES } from './rules.ts'
import { openScene, type Scene, type Victim } from './scene.ts'
import { WAYS, type Way } from './ways.ts'

const stages = useStages()
/** Nothing here waits for a lease of 60 s: what should run again at once, and does not, is found by this. */
const AT_ONCE_MS = 40_000

/** Everything takes a minute: `npm run test:deaths`. The ordinary run has one of each kind. */
const chosen = process.env['HOLDFAST_DEATHS'] === 'all' ? WAYS : WAYS.filter(({ short }) => short)

for (const way of chosen)
  test.concurrent(`${way.name}: every job ends by the rules`, { timeout: 180_000 }, () => die(way))

async function die(way: Way): Promise<void> {
  await using scene = await openScene(await stages(), way)
  const { worker, stage, witness } = scene
  await scene.populate()
  expect(witness.saw('end'), 'INVALID: nothing may have ended before it struck').toEqual([])
  await strike(way, scene)
  if (way.ends !== undefined) await hasEnded(way, scene)
  if (way.ends !== undefined || way.wakes !== undefined) await scene.heir()
  if (way.culprit?.family === 'away') scene.openGate()
  for (const { id } of scene.victims) await stage.ended(id, AT_ONCE_MS)
  await check(way, scene)

  if (way.wakes !== undefined) {
    await way.wakes(scene)
    // What woke up changes nothing.
    await check(way, scene)
  }
  if (way.ends === undefined) {
    worker.signal('SIGTERM')
    expect(await worker.exit()).toMatchObject({ code: 0, signal: null })
  }
  // What was killed last needs a moment to be gone.
  await until(() => !worker.pids.some(isRunning), { deadline: 10_000, what: 'no process is left over' })
}

async function strike(way: Way, scene: Scene): Promise<void> {
  const { worker, stage } = scene
  if (way.culprit === undefined) {
    await way.strike?.(scene)
    return struck(way, scene)
  }
  for (const mode of MODES) {
    const begun = await scene.culprit(mode)
    await way.strike?.(scene, { pid: begun.pid })
    if (mode === MODES[0]) await struck(way, scene)
    // Nobody of the deaths before may be met by the next one.
    const over = way.culprit.family === 'away' ? scene.victims.slice(-1) : scene.victims
    for (const { id } of over) await stage.ended(id, AT_ONCE_MS)
  }
  expect(worker.ended, 'the supervisor goes on').toBeUndefined()
}

async function struck(way: Way, { worker, openGate }: Scene): Promise<void> {
  if (way.struck === undefined) return
  await worker.logged(way.struck)
  openGate()
}

async function hasEnded(way: Way, { worker, victims }: Scene): Promise<void> {
  expect(await worker.exit()).toMatchObject(way.ends ?? {})
  if (way.ends?.code !== 0) return
  const count = (which: (victim: Victim) => boolean) => victims.filter(which).length
  expect(worker.log.at(-1), 'its last line').toMatchObject({
    event: 'stopped',
    handedOff: count(({ fate, mode }) => fate === 'handed off' && mode !== 'finish once'),
    finished: count(({ fate, mode }) => fate === 'completes' || (fate === 'handed off' && mode === 'finish once')),
    left: count(({ fate }) => fate === 'taken along'),
  })
}

async function check(way: Way, scene: Scene): Promise<void> {
  const rows = await Promise.all(scene.victims.map((victim) => actual(scene, victim)))
  const expected = scene.victims.map(({ who, mode, fate }) => ({ who, fate, ...expectedOf(mode, fate) }))
  expect(rows.map(({ row }) => row)).toEqual(expected)
  for (const { row, told, page } of rows) {
    const { error, reason, shown } = way.evidence[row.fate] ?? {}
    if (error !== undefined) expect(told?.error, row.who).toMatchObject(error)
    // What may start only once has its reason as an error, and not all ends have both.
    if (reason !== undefined) expect(told?.reason, row.who).toMatch(reason)
    if (shown !== undefined) expect(page, row.who).toMatch(shown)
  }
}

/** What became of it, as far as the rules say something. */
async function actual({ stage, witness }: Scene, { id, who, fate, mode }: Victim) {
  const found = await stage.find(id)
  const details = await showJob(stage.db, id)
  if (found === undefined || details === undefined) throw new Error(`${who}: job ${id} is nowhere`)
  const { state, run, failures, interruptions, crashes, losses } = found
  const seen = witness.saw().filter((sighting) => sighting['id'] === id)
  const begins =
    mode === 'resume'
      ? new Set(seen.map((sighting) => sighting['run'])).size
      : seen.filter(({ what }) => what === 'begin').length
  if (mode === 'resume')
    expect(
      seen.filter(({ what, ...item }) => what === 'item' && item['n'] === 0),
      `${who}: goes on`,
    ).toHaveLength(1)
  const told = details.trail.find((entry) => entry.run === 1)
  const counters = { failures, interruptions, crashes, losses }
  return { row: { who, fate, state, run, ...counters, begins, outcome: told?.outcome }, told, page: timeline(details) }
}
