import { formatDuration } from '../model/duration.ts'
import { overdueCure, overdueText } from '../model/overdue.ts'
import { lackCure, lackText } from '../model/unserved.ts'
import { overdueDeploys } from '../store/deploys.ts'
import { daysAhead, tableHealth } from '../store/health.ts'
import { queueReport } from '../store/reports.ts'
import { unservedJobs } from '../store/unserved.ts'
import { type Check, ok, warning, wrong } from './doctor-check.ts'
import type { Server } from './doctor-server.ts'
import { count, plural } from './format.ts'
import { short } from './output.ts'

const DEAD_ROWS = 100_000
const DEAD_SHARE = 3
const EXPIRED_MS = 30_000
const DAYS = 2

/** What needs the schema. */
export const JOB_CHECKS: readonly Check<Server>[] = [
  { name: 'workers', look: workers },
  { name: 'deploys', look: deploys },
  { name: 'unserved', look: unserved },
  { name: 'parked', look: parked },
  { name: 'vacuum', look: vacuum },
  { name: 'history', look: history },
]

/** A lease that ran out is taken over within seconds by any live worker. */
function workers({ workers: known }: Server) {
  const live = known.filter((worker) => worker.live)
  const overdue = known.filter((worker) => worker.leaseMs < -EXPIRED_MS)
  const [first] = overdue
  if (first !== undefined) {
    const text = `${plural(overdue.length, 'worker')} vanished and still hold jobs, the first (${short(first.name, 60)}) for ${formatDuration(-first.leaseMs)}.`
    const cure =
      live.length === 0
        ? 'Start a worker: it takes them over.'
        : "Look at `snapshots`: an open transaction may keep their rows locked; and at the workers' logs."
    return wrong(text, cure)
  }
  if (live.length === 0) return warning('No worker is running.', 'Start one: `holdfast work`.')
  const builds = [...new Set(live.map((worker) => short(worker.build, 40)))]
  return ok(`${plural(live.length, 'worker')}, of ${builds.length === 1 ? 'build' : 'builds'} ${builds.join(', ')}`)
}

async function deploys({ db }: Server) {
  const [first, ...others] = await overdueDeploys(db)
  if (first === undefined) return ok('No deploy waits for a person to end it')
  const more = others.length === 0 ? '' : ` (and ${plural(others.length, 'deploy')} more)`
  return wrong(`${short(overdueText(first), 300)}${more}`, overdueCure(first.number))
}

async function unserved({ db, workers: known }: Server) {
  if (!known.some((worker) => worker.live)) return { status: 'skipped', message: 'No worker is running' } as const
  const found = await unservedJobs(db)
  const [first] = found
  if (first === undefined) return ok('Every ready job has a worker that takes it')
  const jobs = found.reduce((sum, each) => sum + each.jobs, 0)
  const others = found.slice(1)
  const more = others.length === 0 ? '' : ` (and ${plural(others.length, 'kind')} more)`
  return wrong(
    `${plural(jobs, 'ready job')} ${jobs === 1 ? 'waits' : 'wait'} for a worker${more}: ${short(lackText(first.lack, first), 300)}.`,
    lackCure(first.lack),
  )
}

async function parked({ db }: Server) {
  const { queues } = await queueReport(db, [])
  const jobs = queues.reduce((sum, queue) => sum + (queue.waiting.parked ?? 0), 0)
  if (jobs === 0) return ok('No job is parked')
  return warning(
    `${plural(jobs, 'job')} ${jobs === 1 ? 'is' : 'are'} parked: alone in a process, each of them killed it.`,
    '`holdfast jobs list --state parked` says which: repair the code, then `holdfast jobs retry ID`.',
  )
}

async function vacuum({ db, health }: Server) {
  if (!health.autovacuum)
    return warning('autovacuum is off.', 'Turn it on: without it the hot tables grow and claims get slower.')
  const tables = await tableHealth(db)
  const worst = tables.find(({ dead, live }) => dead > DEAD_ROWS && dead > live * DEAD_SHARE)
  if (worst === undefined) {
    const job = tables.find((each) => each.name === 'job')
    return ok(`${count(job?.dead ?? 0)} dead rows beside ${count(job?.live ?? 0)} live ones in the table of jobs`)
  }
  const when = worst.vacuumedMs === undefined ? 'never vacuumed' : `vacuumed ${formatDuration(worst.vacuumedMs)} ago`
  return warning(
    `The table ${worst.name} has ${count(worst.dead)} dead rows beside ${count(worst.live)} live ones, and was ${when}.`,
    'See `snapshots` first. Then give autovacuum more workers or less delay (autovacuum_max_workers, autovacuum_vacuum_cost_limit).',
  )
}

async function history({ db, workers: known }: Server) {
  const days = await daysAhead(db)
  const settled = (await tableHealth(db)).find((each) => each.name === 'history_default')?.live ?? 0
  if (days >= DAYS) return ok(`The history has partitions for ${plural(days, 'day')} ahead`)
  if (!known.some((worker) => worker.live)) return ok('The history gets its partitions from the first worker that runs')
  const strays = settled === 0 ? '' : ` ${count(settled)} ended jobs are in the default partition.`
  return warning(
    `The history has partitions for ${plural(days, 'day')} ahead.${strays} Nothing is lost, but old days cannot be dropped whole.`,
    "Workers make them: look for 'pruning' in their logs. Their role must own the schema's tables.",
  )
}
