import type { Fetching, Fleet } from '../deploy/fleets/fleet.ts'
import { HeldFile } from '../deploy/fleets/held-file.ts'
import { type FleetProgress, type Prepared, prepareFleet as prepare } from '../deploy/fleets/prepare-fleet.ts'
import { onStopSignal } from '../deploy/signals.ts'
import { HoldfastError } from '../model/errors.ts'
import { type FleetOptions, type FleetRequest, fleetRequest } from './deploy-fleet-options.ts'
import { preparedJson, progressText, sayPrepared, sayResumed } from './deploy-fleet-report.ts'
import { EXIT, reportFailure } from './failure.ts'
import { printJson, remark, status } from './output.ts'

/** `deploy prepare --fleet …`. @returns the exit code: 0 the gate is open, 1 it is not and everything fetches again, 2 usage. */
export async function prepareFleet(options: FleetOptions): Promise<number> {
  return guarded(options, async (request, fleet) => {
    const file = new HeldFile(request.stateFile, request.system)
    const earlier = await file.open()
    if (earlier !== undefined) remark(`Still paused since ${earlier.since} by an earlier command: going on from there.`)
    const stop = new AbortController()
    const release = hearStop(stop)
    try {
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
    } finally {
      release()
    }
  })
}

/** `deploy finish --fleet …` and `deploy abort --fleet …`: whatever is still paused fetches again. */
export async function resumeFleet(options: FleetOptions): Promise<number> {
  return guarded(options, async (request, fleet) => {
    const file = new HeldFile(request.stateFile, request.system)
    const held = await file.open()
    if (held === undefined) throw nothingHeld(file.path)
    const resumed = await fleet.resume(held.queues)
    if (resumed.left.length === 0) await file.remove()
    else await file.write(resumed.left, 'held')
    if (options.json)
      printJson({ ok: resumed.left.length === 0, fleet: fleet.system, ...resumed, undo: fleet.undo(resumed.left) })
    else sayResumed(fleet, resumed, held)
    return resumed.left.length === 0 ? EXIT.ok : EXIT.failed
  })
}

async function guarded(
  options: FleetOptions,
  work: (request: FleetRequest, fleet: Fleet) => Promise<number>,
): Promise<number> {
  try {
    const request = fleetRequest(options)
    const fleet = request.open()
    try {
      return await work(request, fleet)
    } finally {
      await fleet[Symbol.asyncDispose]?.()
    }
  } catch (error) {
    return reportFailure(error, options.json === true)
  }
}

/** A lost terminal counts as a stop as well: deploys run over ssh. */
function hearStop(stop: AbortController): () => void {
  const abort = () => stop.abort()
  const again = () => remark('Still letting the fleet fetch again; this takes some seconds.')
  const release = onStopSignal(abort, again)
  process.on('SIGHUP', abort)
  return () => {
    release()
    process.off('SIGHUP', abort)
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
  if (left.length > 0) await file.write(left, 'held')
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
