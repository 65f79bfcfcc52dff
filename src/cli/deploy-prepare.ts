import { dryRun } from '../deploy/gate/dry-run.ts'
import { type Offender, ticketOf } from '../deploy/gate/offender.ts'
import { type PrepareOptions, type Progress, prepare } from '../deploy/gate/prepare.ts'
import type { Prepared } from '../deploy/gate/prepared.ts'
import { listenUrlFor } from '../listen-url.ts'
import { formatDuration } from '../model/duration.ts'
import type { BegunDeploy } from '../store/deploys.ts'
import { type GateOptions, gateOf } from './deploy-options.ts'
import { nextSteps, offenderLines, vanishedLines } from './deploy-text.ts'
import { EXIT } from './failure.ts'
import { plural } from './format.ts'
import { colors, print, printJson, remark, short, status } from './output.ts'
import { ownerName } from './owner.ts'
import { openSession, type Session } from './session.ts'
import { StopRequests } from './stop-request.ts'

export interface PrepareCommandOptions extends GateOptions {
  readonly dryRun?: true | undefined
  readonly ticket?: true | undefined
}

export async function prepareDeploy(options: PrepareCommandOptions): Promise<void> {
  const gate = gateOf(options)
  await using session = await openSession(options)
  if (options.dryRun) return await tryOut(session, gate, options)
  using stop = new StopRequests((_, first) => {
    // Whoever asks twice does not want to wait for a database that is away: the hold ends by itself.
    if (!first) process.exit(EXIT.failed)
  })
  const prepared = await prepareWith(session, { ...gate, signal: stop.signal }, options.json === true)
  process.exitCode = prepared.passed ? EXIT.ok : EXIT.failed
  if (options.json) return printJson(prepared)
  if (prepared.passed) for (const line of nextSteps(prepared)) print(line)
  else sayRefused(prepared, options.ticket === true)
}

type Gate = Pick<PrepareOptions, 'scope' | 'allowNone' | 'require' | 'timeout' | 'hold' | 'build' | 'reason' | 'signal'>

/** The wait, told as it goes. */
export async function prepareWith(session: Session, gate: Gate, silent: boolean): Promise<Prepared> {
  const view = silent ? undefined : new LiveView(gate)
  try {
    return await prepare({
      ...gate,
      db: session.db,
      listenUrl: listenUrlFor(session.db.url),
      owner: `${ownerName()}:${process.pid}`,
      ...(view && {
        onBegun: (begun) => view.begun(begun),
        onLook: (progress) => view.look(progress),
        onTrouble: (error) => view.trouble(error),
      }),
    })
  } finally {
    view?.end()
  }
}

export function sayRefused(
  { number, why, waitedMs, offenders, unheard, vanished, stillHeld }: Prepared,
  ticket: boolean,
): void {
  const end = stillHeld ?? 'All workers claim again: abort your deploy.'
  remark(`${colors.red('Deploy')} ${number} gave up after ${formatDuration(waitedMs)}: ${why}. ${end}`)
  for (const offender of offenders) for (const line of offenderLines(offender)) print(line)
  if (unheard.length > 0) print(`  Did not answer: ${unheard.join(', ')}`)
  for (const line of vanishedLines(vanished)) print(line)
  if (!ticket) return
  const byTask = new Map<string, (typeof offenders)[number][]>()
  for (const each of offenders) byTask.set(each.task, [...(byTask.get(each.task) ?? []), each])
  for (const each of byTask.values()) print(`\n${ticketOf(each, { number, at: new Date(), waitedMs })}`)
}

const SAY_EVERY_MS = 5_000
const MOST_SHOWN = 3

/** On a terminal, a line that changes; in a log, one each time that something has changed, and now and then. */
class LiveView {
  readonly #gate: Gate
  #said = ''
  #saidAt = 0

  constructor(gate: Gate) {
    this.#gate = gate
  }

  begun({ number, build }: BegunDeploy): void {
    const { require, timeout } = this.#gate
    const what = require === 'idle' ? 'nothing runs' : 'only what can be interrupted runs'
    print(`Deploy ${number}: workers are held. Waiting until ${what}, ${formatDuration(timeout)} at most.`)
    if (this.#gate.build !== undefined && build === null) {
      print(`Workers of build ${this.#gate.build} live already: only the token tells the new ones apart.`)
    }
  }

  look({ inTheWay, unheard, view, waited }: Progress): void {
    if (inTheWay.length === 0 && unheard.length === 0) return
    const waits = inTheWay.slice(0, MOST_SHOWN).map(waitText)
    const more = inTheWay.length > MOST_SHOWN ? ` and ${inTheWay.length - MOST_SHOWN} more` : ''
    const answers =
      unheard.length === 0 ? '' : `, ${unheard.length} of ${plural(view.workers.length, 'worker')} to answer`
    const what = inTheWay.length === 0 ? '' : `: ${waits.join('; ')}${more}`
    const key = `${inTheWay.map(({ job }) => job).join()}|${unheard.length}`
    if (!process.stdout.isTTY && key === this.#said && waited - this.#saidAt < SAY_EVERY_MS) return
    this.#said = key
    this.#saidAt = waited
    status(
      `${formatDuration(Math.round(waited / 1000) * 1000)}  ${plural(inTheWay.length, 'job')} to end${answers}${what}`,
    )
  }

  trouble({ message }: Error): void {
    if (message === this.#said) return
    this.#said = message
    remark(message)
  }

  end(): void {
    if (process.stdout.isTTY) status()
  }
}

function waitText({ task, job, worker, ageMs, p95Ms, doneInMs }: Offender): string {
  const usual = p95Ms === null ? [] : [`usually ${formatDuration(p95Ms)} at most`]
  const end = doneInMs === null ? [] : [`done in ${formatDuration(doneInMs)} or less`]
  const known = [...usual, ...end].join(', ')
  return `${short(task, 40)} ${job} on ${worker} for ${formatDuration(ageMs)}${known === '' ? '' : ` (${known})`}`
}

async function tryOut(session: Session, gate: Omit<Gate, 'signal'>, options: PrepareCommandOptions): Promise<void> {
  const answer = await dryRun(session.db, gate)
  process.exitCode = answer.passes ? EXIT.ok : EXIT.failed
  if (options.json) return printJson(answer)
  const { workers, offenders, overlap, inMs } = answer
  if (overlap !== undefined)
    print(`Deploy ${overlap.number} of ${overlap.owner} (${overlap.reason}) holds workers of this scope.`)
  if (answer.passes) return print(`It would pass now: ${plural(workers, 'worker')}, and nothing in the way.`)
  if (offenders.length === 0) return
  const when = inMs === undefined ? 'nobody knows when it would' : `it should in ${formatDuration(inMs)} or less`
  print(`It would not pass now; ${when}. In the way:`)
  for (const offender of offenders) for (const line of offenderLines(offender)) print(line)
}
