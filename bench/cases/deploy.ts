import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startRabbit, startRedis } from '../../test/fleets/servers.ts'
import { buildPackage } from '../support/build.ts'
import type { Bench, BenchCase } from '../support/case.ts'
import { now } from '../support/clock.ts'
import { check, type Row } from '../support/result.ts'
import { RollingFleet } from '../support/rolling.ts'
import { percentile } from '../support/statistics.ts'
import { type Effects, readEffects } from '../support/work-file.ts'
import { celery } from '../systems/deploy/celery.ts'
import { holdfast } from '../systems/deploy/holdfast.ts'
import { bullmq, graphileWorker, pgBoss } from '../systems/deploy/rivals.ts'
import { type Census, type DeploySystem, SLOTS } from '../systems/deploy/system.ts'

export const deploy: BenchCase = {
  name: 'deploy',
  what: 'a rolling deploy every 4 s under jobs of 10 s, beside the other systems',
  rivals: true,
  run,
}

interface Sizes {
  readonly jobs: number
  readonly items: number
  readonly itemMs: number
  readonly workers: number
  readonly every: number
  readonly grace: number
}

const FULL: Sizes = { jobs: 40, items: 200, itemMs: 50, workers: 2, every: 4_000, grace: 2_000 }
const QUICK: Sizes = { ...FULL, jobs: 24, items: 60, every: 1_500, grace: 750 }
/** The deploys go on for at most this many times what the jobs take undisturbed. */
const BOUND = 3

interface Outcome extends Effects {
  readonly system: string
  readonly disturbed: boolean
  /** From the first item to the last one, ms; the bound, where it did not end. */
  readonly ms: number
  /** Items a second, over the time in which there was work for every slot. */
  readonly rate: number
  readonly census: Census
  readonly lost: number
  readonly deploys: number
  readonly killed: number
  readonly leftMs: number
}

async function run({ server, quick, say }: Bench) {
  const sizes = quick ? QUICK : FULL
  await buildPackage(say)
  const redis = existsSync('/usr/bin/redis-server') ? await startRedis() : undefined
  const rabbit = existsSync('/usr/lib/rabbitmq/bin/rabbitmq-server') ? await startRabbit() : undefined
  const all = [holdfast(server), bullmq(redis?.url), pgBoss(server), graphileWorker(server), celery(rabbit?.url)]
  const chosen = process.env['BENCH_SYSTEMS']?.split(',')
  const systems = all.filter(({ name }) => chosen?.includes(name) !== false)
  const outcomes: Outcome[] = []
  try {
    for (const system of systems) {
      if (system.missing !== undefined) {
        say(`${system.name}: left out, ${system.missing}`)
        continue
      }
      const calm = await measure(system, sizes, undefined)
      say(`${system.name}, undisturbed: ${text(calm, sizes)}`)
      const rolled = await measure(system, sizes, calm)
      say(`${system.name}, deploys: ${text(rolled, sizes)}`)
      outcomes.push(calm, rolled)
    }
  } finally {
    await Promise.all([redis?.stop(), rabbit?.stop()])
  }
  return resultOf(systems, outcomes, sizes)
}

async function measure(system: DeploySystem, sizes: Sizes, calm: Outcome | undefined): Promise<Outcome> {
  const { jobs, items, itemMs, workers, every, grace } = sizes
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-deploy-'))
  const witness = path.join(folder, 'items')
  writeFileSync(witness, '')
  await system.prepare(jobs)
  const env = { BENCH_WITNESS: witness, BENCH_ITEMS: String(items), BENCH_ITEM_MS: String(itemMs) }
  const fleet = new RollingFleet(system, { workers, every, grace, env })
  try {
    fleet.start()
    // All slots are taken: the deploys are measured, not the first start.
    await seen(witness, items, ({ times }) => times.length >= workers * SLOTS * 2, 60_000)
    if (calm !== undefined) fleet.deploy()
    const ideal = (jobs * items * itemMs) / (workers * SLOTS)
    const bound = calm === undefined ? ideal * BOUND : calm.ms * BOUND
    const ended = await seen(witness, items, (effects) => effects.ended.length >= jobs, bound)
    // A system that has done it all still has to write that down.
    if (ended) await settled(system)
    await fleet.end()
    // A broker sees that they are gone, and has back what they held.
    await sleep(1_000)
    return outcomeOf(system, sizes, readEffects(witness, items), await system.census(), fleet, calm !== undefined)
  } finally {
    await fleet.end()
    await system.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

function outcomeOf(
  system: DeploySystem,
  { jobs, items, workers }: Sizes,
  effects: Effects,
  census: Census,
  { deploys, killed, left }: RollingFleet,
  disturbed: boolean,
): Outcome {
  const { times, ended } = effects
  const first = times[0] ?? Number.NaN
  const last = (ended.length >= jobs ? ended.at(-1) : times.at(-1)) ?? Number.NaN
  // As long as more jobs are left than there are slots, every slot has work.
  const full = ended[jobs - workers * SLOTS] ?? last
  const useful = ended.length >= jobs ? times.filter((at) => at <= full).length : ended.length * items
  return {
    ...effects,
    system: system.name,
    disturbed,
    ms: last - first,
    rate: (useful / (full - first)) * 1_000,
    census,
    lost: Math.max(0, jobs - ended.length - census.stored - census.failed),
    deploys,
    killed,
    leftMs: left.length === 0 ? Number.NaN : percentile(left, 50),
  }
}

async function settled(system: DeploySystem): Promise<void> {
  for (const end = now() + 5_000; now() < end; await sleep(200)) if ((await system.census()).stored === 0) return
}

/** @returns whether it came to that within the bound. */
async function seen(file: string, items: number, isSo: (effects: Effects) => boolean, bound: number): Promise<boolean> {
  for (const end = now() + bound; now() < end; await sleep(250)) if (isSo(readEffects(file, items))) return true
  return false
}

function resultOf(systems: readonly DeploySystem[], outcomes: readonly Outcome[], sizes: Sizes) {
  const of = (name: string, disturbed: boolean) =>
    outcomes.find((each) => each.system === name && each.disturbed === disturbed)
  const ratioOf = (name: string) => (of(name, true)?.rate ?? Number.NaN) / (of(name, false)?.rate ?? Number.NaN)
  const rolled = of('holdfast', true)
  const rows = systems.flatMap((system): Row[] => {
    const [calm, hard] = [of(system.name, false), of(system.name, true)]
    if (calm === undefined || hard === undefined)
      return [{ system: system.name, throughput: `not measured: ${system.missing}` }]
    return [rowOf(calm, hard, sizes)]
  })
  return {
    settings: {
      ...sizes,
      slots: SLOTS,
      bound: `${BOUND} times the undisturbed time`,
      deploy:
        'each replaces the workers one after the other, a grace apart; the replacement starts at the SIGTERM of the old one',
      brokers: brokerVersions(),
      systems: Object.fromEntries(systems.map(({ name, version, settings }) => [name, `${version}: ${settings}`])),
    },
    rows,
    targets: [
      target('holdfast: throughput under deploys, of its own undisturbed', ratioOf('holdfast'), 0.97, 'at least'),
      target('holdfast: jobs lost or not ended', sizes.jobs - (rolled?.ended.length ?? 0), 0, 'at most'),
      target('holdfast: items redone', rolled?.redone ?? Number.NaN, 0, 'at most'),
    ],
    checks: [
      check(
        'undisturbed, every system did every item once',
        outcomes
          .filter((each) => !each.disturbed)
          .every(({ ended, redone }) => ended.length === sizes.jobs && redone === 0),
        outcomes.filter((each) => !each.disturbed).length,
      ),
      check(
        'there were deploys',
        outcomes.every(({ disturbed, deploys }) => !disturbed || deploys >= 2),
        rolled?.deploys ?? 0,
      ),
    ],
    raw: outcomes.map(({ times, ended, ...rest }) => ({ ...rest, ended: ended.length, perSecond: perSecond(times) })),
    notes: [
      'The other systems run a plain handler, as their docs show it: whoever writes cursors by hand may do better.',
      'Throughput: items of the time in which there was work for every slot; where not all jobs ended, items of those that did.',
    ],
  }
}

/** Debian's; the others are in their lock files. */
function brokerVersions(): string {
  const { stdout } = spawnSync('dpkg-query', ['-W', 'redis-server', 'rabbitmq-server'], { encoding: 'utf8' })
  return stdout?.trim().replaceAll('\n', ', ').replaceAll('\t', ' ') ?? ''
}

/** Items done in each second since the first one. */
function perSecond(times: readonly number[]): number[] {
  const first = times[0] ?? 0
  const counts = Array.from({ length: Math.ceil(((times.at(-1) ?? first) - first) / 1_000) + 1 }, () => 0)
  for (const at of times) counts[Math.floor((at - first) / 1_000)]! += 1
  return counts
}

function rowOf(calm: Outcome, hard: Outcome, { jobs }: Sizes): Row {
  const ended = hard.ended.length
  return {
    system: hard.system,
    'items/s undisturbed': round(calm.rate),
    'items/s deploys': round(hard.rate),
    throughput: round(hard.rate / calm.rate, 3),
    'all done, s': ended >= jobs ? `${round(hard.ms / 1_000)} (${round(calm.ms / 1_000)})` : 'never',
    'not ended': jobs - ended,
    lost: hard.lost,
    'given up': hard.census.failed,
    'items redone': hard.redone,
    'items twice': hard.twice,
    deploys: hard.deploys,
    SIGKILLs: hard.killed,
    'left after ms': Number.isNaN(hard.leftMs) ? '-' : round(hard.leftMs),
  }
}

function target(what: string, measured: number, needed: number, bound: 'at least' | 'at most') {
  return { what, measured, unit: '', needed, bound }
}

function text({ ms, rate, ended, redone, killed, deploys }: Outcome, { jobs }: Sizes): string {
  return `${ended.length} of ${jobs} jobs in ${round(ms / 1_000)} s, ${round(rate)} items/s, ${redone} redone, ${deploys} deploys, ${killed} killed`
}

function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits))
}
