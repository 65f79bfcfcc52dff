import { endHold, keepHold, patiently } from '../deploy/gate/hold.ts'
import { formatDuration } from '../model/duration.ts'
import { shellWord } from '../model/shell-word.ts'
import type { Database } from '../store/db.ts'
import { type Deploy, listDeploys } from '../store/deploys.ts'
import { DeployCommand } from './deploy-command.ts'
import { type GateOptions, gateOf } from './deploy-options.ts'
import { prepareWith, sayRefused } from './deploy-prepare.ts'
import { EXIT, messageOf } from './failure.ts'
import { colors, errorColors, print, printJson, remark } from './output.ts'
import { openSession } from './session.ts'
import { StopRequests } from './stop-request.ts'

export interface RunOptions extends GateOptions {
  readonly keepGoing?: true | undefined
}

/** What a stopped command has started may take so long to end. */
const GONE_WITHIN_MS = 20_000
/** A database that restarts as the command ends is back by then. */
const PATIENCE_MS = 15_000

/** Prepare, the command, finish: one line for a whole deploy. */
export async function runDeploy(words: readonly string[], options: RunOptions): Promise<void> {
  const gate = gateOf(options)
  await using session = await openSession(options)
  let command: DeployCommand | undefined
  using stop = new StopRequests((signal) => command?.pass(signal))
  const silent = options.json === true
  const prepared = await prepareWith(session, { ...gate, signal: stop.signal }, silent)
  if (!prepared.passed) {
    process.exitCode = EXIT.failed
    return silent ? printJson(prepared) : sayRefused(prepared, false)
  }
  const { number, token } = prepared
  let failure = `was not started: ${stop.signal.reason} came first` as string | undefined
  let left: number | undefined
  if (!stop.signal.aborted) {
    if (!silent) print(`${colors.green('The way is free.')} Running: ${words.map(shellWord).join(' ')}`)
    const env = { HOLDFAST_DEPLOY: token, HOLDFAST_DEPLOY_NUMBER: String(number) }
    // The JSON has standard output to itself.
    const running = new DeployCommand(words, env, silent ? process.stderr : 'inherit')
    command = running
    const release = keepHold(session.db, number, gate.hold, (now) => hearLoss(now, running, options.keepGoing === true))
    failure = await running.ended
    if (failure !== undefined && running.cut && !(await running.gone(GONE_WITHIN_MS))) left = running.group
    release()
  }
  const outcome = left === undefined ? await close(session.db, number, failure) : stillThere(number, failure, left)
  process.exitCode = outcome.finished && failure === undefined ? EXIT.ok : EXIT.failed
  if (silent) return printJson({ ...prepared, command: failure, ...outcome })
  if (process.exitCode === EXIT.ok) print(`Deploy ${number} is finished: every worker claims.`)
  else remark(`${errorColors.red('error')} ${outcome.message}`)
}

/** The old code claims again, beside a command that takes it for held. */
function hearLoss({ number, why, migrating_at }: Deploy, command: DeployCommand, keepGoing: boolean): void {
  const stops = !keepGoing && migrating_at === null
  const what = why === null ? 'has run out' : `was ended by somebody else (${why})`
  const then = stops ? 'The command is stopped.' : 'The command goes on.'
  remark(`${errorColors.red('The hold')} of deploy ${number} ${what}: its workers claim again. ${then}`)
  if (stops) command.stop()
}

interface Outcome {
  readonly finished: boolean
  readonly message: string | undefined
}

function stillThere(number: number, failure: string | undefined, group: number): Outcome {
  const message =
    `Deploy ${number} stays held until its hold runs out: the command ${failure}, and what it had started still runs after ` +
    `${formatDuration(GONE_WITHIN_MS)} (process group ${group}). When that is gone: \`holdfast deploy abort ${number}\`.`
  return { finished: false, message }
}

/** Finished when the command went well. When it did not, the old code goes on, unless a migration had begun: then a person decides. */
async function close(db: Database, number: number, failure: string | undefined): Promise<Outcome> {
  try {
    return await patiently(() => end(db, number, failure), PATIENCE_MS)
  } catch (error) {
    const went = failure === undefined ? 'went well' : failure
    const verb = failure === undefined ? 'finish' : 'abort'
    const message =
      `The command ${went}, but deploy ${number} is still held: its end could not be written (${messageOf(error)}). ` +
      `When the database answers: \`holdfast deploy ${verb} ${number}\`.`
    return { finished: false, message }
  }
}

async function end(db: Database, number: number, failure: string | undefined): Promise<Outcome> {
  const why = failure && `the command ${failure}`
  const ended = await endHold(db, number, {
    state: failure === undefined ? 'finished' : 'aborted',
    why,
    from: failure === undefined ? ['held', 'migrating'] : ['held'],
  })
  const aborted = `Deploy ${number} is aborted, and the old code goes on: ${why}.`
  if (ended !== undefined && !ended.expired) {
    return failure === undefined ? { finished: true, message: undefined } : { finished: false, message: aborted }
  }
  const [now] = await listDeploys(db, { number, most: 1 })
  // By the command itself; or by us, in an earlier try whose answer was lost.
  if (ended === undefined && now?.state === 'finished') {
    return { finished: true, message: why && `Deploy ${number} was finished already, and ${why}.` }
  }
  if (ended === undefined && now?.state === 'aborted' && now.why === why) return { finished: false, message: aborted }
  if (now?.state === 'migrating') {
    const message =
      `Deploy ${number} stays held: ${why}, and a migration had begun. Mend it and \`holdfast deploy finish ${number}\`, ` +
      `or undo the migration and \`holdfast deploy abort ${number} --force\`.`
    return { finished: false, message }
  }
  const message = `Deploy ${number} had ended before its command did${now?.why ? ` (${now.why})` : ''}: its workers have been claiming again.`
  return { finished: false, message: why === undefined ? message : `${message} And ${why}.` }
}
