import { judge } from '../deploy/gate/judge.ts'
import { offendersOf } from '../deploy/gate/offender.ts'
import { Viewer } from '../deploy/gate/view.ts'
import { formatDuration } from '../model/duration.ts'
import type { Database } from '../store/db.ts'
import { type Deploy, listDeploys } from '../store/deploys.ts'
import { wholeNumber } from './arguments.ts'
import type { CommonOptions } from './command.ts'
import { offenderLines, scopeText, stillRunning } from './deploy-text.ts'
import { moment, plural, table } from './format.ts'
import { colors, print, printJson, remark, short } from './output.ts'
import { openSession } from './session.ts'

const MOST_LIVE = 100

export async function status(options: CommonOptions): Promise<void> {
  await using session = await openSession(options)
  const deploys = await listDeploys(session.db, { live: true, most: MOST_LIVE })
  const seen = await Promise.all(deploys.map((deploy) => lookAt(session.db, deploy)))
  if (options.json) return printJson({ deploys: seen })
  if (seen.length === 0) return remark('No deploy is going on.')
  for (const each of seen) sayStatus(each)
}

type Seen = Awaited<ReturnType<typeof lookAt>>

async function lookAt(db: Database, deploy: Deploy) {
  const view = await new Viewer(db).look({ deploy: deploy.number })
  const { blockers, interruptible, unheard } = judge(view, deploy.require)
  return {
    ...deployJson(deploy),
    workers: view.workers.map(({ name, build, heard, silent_ms }) => ({
      name,
      build,
      heard,
      silentMs: round(silent_ms),
    })),
    unheard: unheard.map(({ name }) => name),
    interruptible: interruptible.length,
    inTheWay: await offendersOf(db, blockers),
  }
}

function sayStatus(seen: Seen): void {
  const { number, state, owner, reason, leftMs, workers, unheard, interruptible, inTheWay } = seen
  const time =
    leftMs > 0 ? `${formatDuration(leftMs)} left` : colors.red('its time has run out, and the old code must not run')
  print(`Deploy ${colors.bold(String(number))} ${state}  ${short(owner, 80)}: ${short(reason, 200)}  ${time}`)
  print(
    `  ${scopeText({ ...seen, workers: seen.names })}: ${plural(workers.length, 'worker')} held. ${inTheWay.length > 0 && interruptible === 0 ? '' : stillRunning(interruptible)}`,
  )
  if (unheard.length > 0) print(`  Have not answered: ${unheard.join(', ')}`)
  if (inTheWay.length > 0 && state === 'preparing') print('  In the way:')
  for (const offender of inTheWay) for (const line of offenderLines(offender)) print(line)
}

export async function history(options: CommonOptions & { limit: string }): Promise<void> {
  const most = wholeNumber(options.limit, 1, 1_000, '--limit')
  await using session = await openSession(options)
  const deploys = await listDeploys(session.db, { most })
  if (options.json) return printJson({ deploys: deploys.map(deployJson) })
  if (deploys.length === 0) return remark('There has been no deploy yet.')
  print(table(HEAD, deploys.map(row)))
}

const HEAD = ['deploy', 'began', 'state', 'waited', 'took', 'owner', 'build', 'reason']

function row(deploy: Deploy): string[] {
  const { number, state, owner, build, reason, why, started_at } = deploy
  const { waitedMs, tookMs } = timesOf(deploy)
  return [
    String(number),
    moment(started_at),
    state === 'finished' ? state : colors.yellow(state),
    waitedMs === null ? '' : formatDuration(waitedMs),
    tookMs === null ? '' : formatDuration(tookMs),
    short(owner, 40),
    short(build, 20),
    short(why === null ? reason : `${reason}: ${why}`, 300),
  ]
}

/** `waitedMs`: until the way was free; `tookMs`: until it ended, the lead time of a deploy that was finished. */
function timesOf({ started_at, passed_at, ended_at }: Deploy) {
  const since = (at: Date | null): number | null => at && at.getTime() - started_at.getTime()
  return { waitedMs: since(passed_at ?? ended_at), tookMs: since(ended_at) }
}

function deployJson(deploy: Deploy) {
  const { number, state, owner, reason, build, token, apps, queues, workers, require, why, report } = deploy
  return {
    ...{ number, state, owner, reason, build, token, apps, queues, require, why },
    names: workers,
    startedAt: deploy.started_at,
    passedAt: deploy.passed_at,
    migratingAt: deploy.migrating_at,
    endedAt: deploy.ended_at,
    expiresAt: deploy.expires_at,
    leftMs: Math.round(deploy.left_ms),
    heardMs: round(deploy.heard_ms),
    held: deploy.held,
    ...timesOf(deploy),
    report: report === null ? null : (JSON.parse(report) as object),
  }
}

function round(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms)
}
