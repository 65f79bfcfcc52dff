import { type ChildProcess, spawn } from 'node:child_process'
import { onStopSignal } from '../deploy/signals.ts'
import { GATE } from '../engine/wake.ts'
import { endDeploy, listDeploys, renewDeploy } from '../store/deploys.ts'
import { wake } from '../store/enqueue.ts'
import { type GateOptions, gateOf } from './deploy-options.ts'
import { prepareWith, sayRefused } from './deploy-prepare.ts'
import { EXIT, messageOf } from './failure.ts'
import { colors, print, printJson, remark } from './output.ts'
import { openSession, type Session } from './session.ts'

/** The hold is renewed long before it runs out. */
const RENEW_SHARE = 1 / 4
const RENEW_MOST_MS = 60_000

/** Prepare, the command, finish: one line for a whole deploy. */
export async function runDeploy(command: readonly string[], options: GateOptions): Promise<void> {
  const gate = gateOf(options)
  await using session = await openSession(options)
  const stop = new AbortController()
  let child: ChildProcess | undefined
  onStopSignal(
    (signal) => {
      stop.abort(signal)
      child?.kill(signal as NodeJS.Signals)
    },
    (signal) => child?.kill(signal as NodeJS.Signals),
  )
  const silent = options.json === true
  const prepared = await prepareWith(session, { ...gate, signal: stop.signal }, silent)
  if (!prepared.passed) {
    process.exitCode = EXIT.failed
    return silent ? printJson(prepared) : sayRefused(prepared, false)
  }
  const { number, token } = prepared
  if (!silent) print(`${colors.green('The way is free.')} Running: ${command.join(' ')}`)
  const renewing = keepHolding(session, number, gate.hold)
  const ended = await execute(command, token, number, silent, (started) => {
    child = started
    // It was asked to stop between the two.
    if (stop.signal.aborted) started.kill('SIGTERM')
  })
  clearInterval(renewing)
  const outcome = await close(session, number, ended)
  process.exitCode = outcome.finished ? EXIT.ok : EXIT.failed
  if (silent) return printJson({ ...prepared, command: ended, ...outcome })
  if (outcome.finished) print(`Deploy ${number} is finished: every worker claims.`)
  else remark(`${colors.red('error')} ${outcome.message}`)
}

function keepHolding({ db }: Session, number: number, hold: number): NodeJS.Timeout {
  const renew = (): void => void renewDeploy(db, number, hold, ['held', 'migrating']).catch(() => {})
  return setInterval(renew, Math.min(hold * RENEW_SHARE, RENEW_MOST_MS))
}

/** What became of the command, in words; undefined: it went well. */
function execute(
  [program, ...args]: readonly string[],
  token: string,
  number: number,
  silent: boolean,
  onStarted: (child: ChildProcess) => void,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(program as string, args, {
      // The JSON has standard output to itself.
      stdio: ['inherit', silent ? process.stderr : 'inherit', 'inherit'],
      env: { ...process.env, HOLDFAST_DEPLOY: token, HOLDFAST_DEPLOY_NUMBER: String(number) },
    })
    child.on('error', (error) => resolve(`could not be started: ${messageOf(error)}`))
    child.on('exit', (code, signal) => {
      if (code === 0) resolve(undefined)
      else resolve(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`)
    })
    child.on('spawn', () => onStarted(child))
  })
}

interface Outcome {
  readonly finished: boolean
  readonly message: string | undefined
}

/** Finished when the command went well. When it did not, the old code goes on, unless a migration had begun: then a person decides. */
async function close({ db }: Session, number: number, failure: string | undefined): Promise<Outcome> {
  const why = failure && `the command ${failure}`
  const ended = await endDeploy(db, number, {
    state: failure === undefined ? 'finished' : 'aborted',
    why,
    from: failure === undefined ? ['held', 'migrating'] : ['held'],
  })
  await wake(db, GATE).catch(() => {})
  if (ended !== undefined && !ended.expired) {
    if (failure === undefined) return { finished: true, message: undefined }
    return { finished: false, message: `Deploy ${number} is aborted, and the old code goes on: ${why}.` }
  }
  const [now] = await listDeploys(db, { number, most: 1 })
  if (now?.state === 'migrating') {
    const message =
      `Deploy ${number} stays held: ${why}, and a migration had begun. Mend it and \`holdfast deploy finish ${number}\`, ` +
      `or undo the migration and \`holdfast deploy abort ${number} --force\`.`
    return { finished: false, message }
  }
  const message = `Deploy ${number} had ended before its command did${now?.why ? ` (${now.why})` : ''}: its workers have been claiming again.`
  return { finished: false, message: why === undefined ? message : `${message} And ${why}.` }
}
