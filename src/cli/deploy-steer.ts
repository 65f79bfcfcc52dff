import { endHold } from '../deploy/gate/hold.ts'
import { formatDuration } from '../model/duration.ts'
import { HoldfastError } from '../model/errors.ts'
import type { Database } from '../store/db.ts'
import { type Deploy, type EndOfDeploy, listDeploys, markDeploy, renewDeploy } from '../store/deploys.ts'
import { wholeNumber } from './arguments.ts'
import type { CommonOptions } from './command.ts'
import { UsageError } from './failure.ts'
import { plural } from './format.ts'
import { durationOf, MAX_HOLD_MS, reasonOf } from './option-values.ts'
import { colors, print, printJson } from './output.ts'
import { ownerName } from './owner.ts'
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
  const ended = await endHold(db, deploy.number, how)
  if (ended === undefined) throw gone(deploy, done)
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
  const wanted = number === undefined ? numberOfCommand() : numberOf(number, 'The number of a deploy')
  await using session = await openSession(options)
  const deploy = wanted === undefined ? await mine(session.db) : await named(session.db, wanted)
  const message = await work(session.db, deploy)
  const [now] = await listDeploys(session.db, { number: deploy.number, most: 1 })
  if (options.json) return printJson({ number: deploy.number, state: now?.state, message })
  print(`Deploy ${colors.bold(String(deploy.number))} ${message}.`)
}

/** Of the `deploy run` that this command runs in. */
function numberOfCommand(): number | undefined {
  const told = process.env['HOLDFAST_DEPLOY_NUMBER']
  return told === undefined || told === '' ? undefined : numberOf(told, 'HOLDFAST_DEPLOY_NUMBER')
}

function numberOf(text: string, what: string): number {
  return wholeNumber(text, 1, MAX_NUMBER, what)
}

async function named(db: Database, number: number): Promise<Deploy> {
  const [deploy] = await listDeploys(db, { number, most: 1 })
  if (deploy !== undefined) return deploy
  throw new HoldfastError('HF_DEPLOY_GONE', `There is no deploy ${number}.`)
}

/** The only one that there is. Not somebody else's: whoever's own has expired meanwhile would end a stranger's. */
async function mine(db: Database): Promise<Deploy> {
  const found = await listDeploys(db, { live: true, most: 100 })
  const [deploy] = found
  if (deploy === undefined) throw new HoldfastError('HF_DEPLOY_GONE', 'No deploy is going on.')
  if (found.length === 1 && isOf(deploy.owner, ownerName())) return deploy
  const list = found.map((each) => `${each.number} of ${each.owner} (${each.reason})`).join(', ')
  const text =
    found.length === 1
      ? `The only deploy that is going on is not of ${ownerName()}: ${list}.`
      : `${plural(found.length, 'deploy')} are going on: ${list}.`
  throw new HoldfastError('HF_DEPLOY_WHICH', text)
}

/** `owner` is a name and the id of a process. */
function isOf(owner: string, name: string): boolean {
  return owner.replace(/:\d+$/, '') === name
}
