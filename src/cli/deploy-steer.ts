import { GATE } from '../engine/wake.ts'
import { formatDuration } from '../model/duration.ts'
import { HoldfastError } from '../model/errors.ts'
import type { Database } from '../store/db.ts'
import { type Deploy, type EndOfDeploy, endDeploy, listDeploys, markDeploy, renewDeploy } from '../store/deploys.ts'
import { wake } from '../store/enqueue.ts'
import { wholeNumber } from './arguments.ts'
import type { CommonOptions } from './command.ts'
import { UsageError } from './failure.ts'
import { plural } from './format.ts'
import { durationOf, MAX_HOLD_MS, reasonOf } from './option-values.ts'
import { colors, print, printJson } from './output.ts'
import { openSession } from './session.ts'

const MAX_NUMBER = 2 ** 31 - 1

export async function extend(number: string | undefined, options: CommonOptions & { for: string }): Promise<void> {
  const ms = durationOf(options.for, 1_000, MAX_HOLD_MS, '--for')
  await steer(number, options, async (db, deploy) => {
    if (!(await renewDeploy(db, deploy.number, ms, ['held', 'migrating']))) throw gone(deploy, 'extended')
    return `goes on holding for ${formatDuration(ms)}`
  })
}

export async function mark(what: string, number: string | undefined, options: CommonOptions): Promise<void> {
  if (what !== 'migrating') throw new UsageError(`A deploy can be marked as 'migrating', not as '${what}'.`)
  await steer(number, options, async (db, deploy) => {
    if (!(await markDeploy(db, deploy.number))) throw gone(deploy, 'marked')
    return 'is migrating: the old code does not run again, also when its hold runs out, until you finish or abort it'
  })
}

export async function finish(number: string | undefined, options: CommonOptions): Promise<void> {
  await steer(number, options, async (db, deploy) => {
    await end(db, deploy, { state: 'finished', from: ['held', 'migrating'] }, 'finished')
    return 'is finished: every worker claims'
  })
}

export async function abort(
  number: string | undefined,
  options: CommonOptions & { reason: string; force?: true | undefined },
): Promise<void> {
  await steer(number, options, async (db, deploy) => {
    const why = reasonOf(options.reason)
    const from = options.force ? (['preparing', 'held', 'migrating'] as const) : (['preparing', 'held'] as const)
    await end(db, deploy, { state: 'aborted', why, from }, 'aborted')
    return 'is aborted: every worker claims again'
  })
}

async function end(db: Database, deploy: Deploy, how: EndOfDeploy, done: string): Promise<void> {
  const ended = await endDeploy(db, deploy.number, how)
  if (ended === undefined) throw gone(deploy, done)
  await wake(db, GATE).catch(() => {})
  if (!ended.expired) return
  throw new HoldfastError(
    'HF_DEPLOY_GONE',
    `The hold of deploy ${deploy.number} had run out before it was ${done}: its workers have been claiming again.`,
  )
}

function gone({ number, state, why }: Deploy, done: string): HoldfastError {
  const how = {
    preparing: 'its command still waits for work to end',
    held: 'its hold has run out',
    migrating: 'a migration has begun: with --force, the old code runs again on whatever schema there is now',
    finished: 'it is finished',
    aborted: `it is aborted${why === null ? '' : ` (${why})`}`,
    expired: 'its time has run out, and its workers claim again',
  }[state]
  return new HoldfastError('HF_DEPLOY_GONE', `Deploy ${number} cannot be ${done}: ${how}.`)
}

async function steer(
  number: string | undefined,
  options: CommonOptions,
  work: (db: Database, deploy: Deploy) => Promise<string>,
): Promise<void> {
  const wanted = number === undefined ? undefined : wholeNumber(number, 1, MAX_NUMBER, 'The number of a deploy')
  await using session = await openSession(options)
  const deploy = await find(session.db, wanted)
  const message = await work(session.db, deploy)
  const [now] = await listDeploys(session.db, { number: deploy.number, most: 1 })
  if (options.json) return printJson({ number: deploy.number, state: now?.state, message })
  print(`Deploy ${colors.bold(String(deploy.number))} ${message}.`)
}

/** The one that was named, else the only one that there is. */
async function find(db: Database, number: number | undefined): Promise<Deploy> {
  const found = await listDeploys(db, number === undefined ? { live: true, most: 100 } : { number, most: 1 })
  const [deploy] = found
  if (deploy === undefined) {
    const what = number === undefined ? 'No deploy is going on.' : `There is no deploy ${number}.`
    throw new HoldfastError('HF_DEPLOY_GONE', what)
  }
  if (found.length === 1) return deploy
  const list = found.map((each) => `${each.number} of ${each.owner} (${each.reason})`).join(', ')
  throw new HoldfastError('HF_DEPLOY_WHICH', `${plural(found.length, 'deploy')} are going on: ${list}.`)
}
