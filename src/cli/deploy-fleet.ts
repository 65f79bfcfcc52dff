import type { Fetching, Fleet } from '../deploy/fleets/fleet.ts'
import { HeldFile } from '../deploy/fleets/held-file.ts'
import { type FleetProgress, type Prepared, prepareFleet as prepare } from '../deploy/fleets/prepare-fleet.ts'
import { HoldfastError } from '../model/errors.ts'
import { type FleetOptions, type FleetRequest, fleetRequest } from './deploy-fleet-options.ts'
import { preparedJson, progressText, sayPrepared, sayResumed, undoLines } from './deploy-fleet-report.ts'
import { EXIT, reportFailure } from './failure.ts'
import { printJson, remark, status } from './output.ts'
import { ownerName } from './owner.ts'
import { StopRequests } from './stop-request.ts'

/** `deploy prepare --fleet …`. @returns the exit code: 0 the gate is open, 1 it is not and everything fetches again, 2 usage. */
export async function prepareFleet(options: FleetOptions): Promise<number> {
  return guarded(options, async () => {
    const request = fleetRequest(options, 'prepare')
    return withFleet(request.open(), async (fleet) => {
      const file = fileOf(request)
      const earlier = await file.claim(options.takeOver === true)
      if (earlier !== undefined)
        remark(`Still paused since ${earlier.since} by an earlier command: going on from there.`)
      using stop = new StopRequests((_, first) => {
        if (!first) remark('Still letting the fleet fetch again; this takes some seconds.')
      })
      const prepared = await prepare(fleet, {
        require: request.require,
        timeoutMs: request.timeoutMs,
        signal: stop.signal,
        before: earlier?.queues ?? [],
        remember: (held) => remember(file, fleet, held),
        ...(!options.json && { tell: teller() }),
      })
      if (!options.json && process.stdout.isTTY) status()
      await settle(file, prepared)
      const report = { request, fleet, prepared, state: file.path }
      if (options.json) printJson(preparedJson(report))
      else sayPrepared(report)
      return prepared.ok ? EXIT.ok : EXIT.failed
    })
  })
}

/** `deploy finish --fleet …` and `deploy abort --fleet …`: whatever is still paused fetches again. */
export async function resumeFleet(options: FleetOptions): Promise<number> {
  return guarded(options, async () => {
    const request = fleetRequest(options, 'resume')
    const file = fileOf(request)
    const held = await file.left()
    if (held === undefined) throw nothingHeld(file.path)
    return withFleet(request.open(held.queues.map(({ queue }) => queue)), async (fleet) => {
      const resumed = await fleet.resume(held.queues)
      if (resumed.left.length === 0) await file.remove()
      else await file.write(resumed.left, 'waiting')
      if (options.json)
        printJson({
          ok: resumed.left.length === 0,
          fleet: fleet.system,
          ...resumed,
          undo: undoLines(fleet, resumed.left),
        })
      else sayResumed(fleet, resumed, held)
      return resumed.left.length === 0 ? EXIT.ok : EXIT.failed
    })
  })
}

function fileOf({ stateFile, system }: FleetRequest): HeldFile {
  return new HeldFile(stateFile, system, ownerName())
}

async function guarded(options: FleetOptions, work: () => Promise<number>): Promise<number> {
  try {
    return await work()
  } catch (error) {
    return reportFailure(error, options.json === true)
  }
}

async function withFleet<T>(fleet: Fleet & Partial<AsyncDisposable>, work: (fleet: Fleet) => Promise<T>): Promise<T> {
  try {
    return await work(fleet)
  } finally {
    await fleet[Symbol.asyncDispose]?.()
  }
}

/** Written down and said before the first pause: SIGKILL leaves no time for either. */
async function remember(file: HeldFile, fleet: Fleet, held: readonly Fetching[]): Promise<void> {
  await file.write(held, 'waiting')
  remark(
    `Pausing. Should this command be killed, the fleet stays paused until \`holdfast deploy abort\` runs here, or by hand:`,
  )
  for (const line of fleet.undo(held)) remark(`  ${line}`)
}

async function settle(file: HeldFile, prepared: Prepared): Promise<void> {
  if (prepared.ok) return file.write(prepared.held, 'held')
  const left = prepared.resumed === undefined ? prepared.held : prepared.resumed.left
  // Of no deploy any more: whoever comes next may go on from there.
  if (left.length > 0) await file.write(left, 'waiting')
  else await file.remove()
}

/** On a terminal one line that changes; in a log a line for each change. */
function teller(): (progress: FleetProgress) => void {
  let last = ''
  return (progress) => {
    const text = progressText(progress)
    if (process.stdout.isTTY) status(text)
    else if (text !== last) remark(text)
    last = text
  }
}

function nothingHeld(file: string): HoldfastError {
  return new HoldfastError('HF_FLEET_STATE', `${file} does not exist: no command has left a paused fleet here.`)
}
