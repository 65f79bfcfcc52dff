import path from 'node:path'
import { printable } from '../model/printable.ts'
import { serverHealth } from '../store/health.ts'
import { schemaState } from '../store/migrate.ts'
import { listWorkers } from '../store/reports.ts'
import type { CommonOptions } from './command.ts'
import { type Checked, failed, runChecks } from './doctor-check.ts'
import { JOB_CHECKS } from './doctor-jobs.ts'
import { PROJECT_CHECKS } from './doctor-project.ts'
import { SERVER_CHECKS, type Server } from './doctor-server.ts'
import { EXIT } from './failure.ts'
import { plural } from './format.ts'
import { colors, print, printJson } from './output.ts'
import { openSession, type Session } from './session.ts'

export async function doctor(options: CommonOptions): Promise<void> {
  const checks = await examine(options)
  const errors = checks.filter((check) => check.status === 'error').length
  if (options.json) {
    printJson({
      ok: errors === 0,
      checks: checks.map(({ check, status, message, cure }) => ({ check, status, message, cure: cure ?? null })),
    })
  } else {
    for (const check of checks) say(check)
    const warnings = checks.filter((check) => check.status === 'warning').length
    print()
    print(
      errors + warnings === 0
        ? colors.green('All is well.')
        : `${plural(errors, 'error')}, ${plural(warnings, 'warning')}.`,
    )
  }
  if (errors > 0) process.exitCode = EXIT.failed
}

async function examine(options: CommonOptions): Promise<Checked[]> {
  let session: Session
  try {
    session = await openSession(options)
  } catch (error) {
    return [{ check: 'app', ...failed(error) }, ...(await project(undefined))]
  }
  await using opened = session
  return [...(await database(opened)), ...(await project(opened))]
}

async function project(session: Session | undefined): Promise<Checked[]> {
  const file = session?.loaded?.file
  const folder = file === undefined ? process.cwd() : path.dirname(file)
  return runChecks(PROJECT_CHECKS, { folder, loaded: session?.loaded })
}

async function database({ db, where }: Session): Promise<Checked[]> {
  let server: Server
  try {
    const health = await serverHealth(db)
    const { version } = await schemaState(db)
    if (version === 0) return await runChecks(SERVER_CHECKS, { db, where, health, workers: [] })
    server = { db, where, health, workers: await listWorkers(db) }
  } catch (error) {
    return [{ check: 'database', ...failed(error) }]
  }
  return runChecks([...SERVER_CHECKS, ...JOB_CHECKS], server)
}

const PAINT = { ok: colors.green, warning: colors.yellow, error: colors.red, skipped: colors.dim } as const

function say({ check, status, message, cure }: Checked): void {
  print(`${PAINT[status](status.padEnd(7))}  ${check.padEnd(11)}  ${printable(message)}`)
  if (cure !== undefined) print(`${' '.repeat(22)}${colors.dim('→')} ${printable(cure)}`)
}
