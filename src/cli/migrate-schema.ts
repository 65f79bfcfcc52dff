import { RELEASE } from '../release.ts'
import { type Migration, migrate, migrationText, refuseNewer, SCHEMA_VERSION } from '../store/migrate.ts'
import type { CommonOptions } from './command.ts'
import { UsageError } from './failure.ts'
import { table } from './format.ts'
import { colors, print, printJson, remark } from './output.ts'
import { openSession, type Session } from './session.ts'

interface MigrateOptions extends CommonOptions {
  readonly dryRun?: true | undefined
  readonly sql?: true | undefined
}

/** Also run in a release phase, so everything that it says stands on one screen. */
export async function migrateSchema(options: MigrateOptions): Promise<void> {
  if (options.sql && !options.dryRun) throw new UsageError('--sql goes with --dry-run.')
  await using session = await openSession(options)
  const { db } = session
  const before = await refuseNewer(db)
  const migrations = options.dryRun ? before.pending : await migrate(db, RELEASE)
  if (options.json) {
    const known = before.unknown.length > 0 ? before.version : SCHEMA_VERSION
    return printJson({
      database: session.where,
      schema: db.schema,
      dryRun: options.dryRun === true,
      from: before.version,
      to: known,
      migrations: migrations.map((each) => ({
        number: each.number,
        name: each.name,
        kind: each.kind,
        ...(options.sql && { sql: migrationText(each.number, db.schema) }),
      })),
    })
  }
  if (options.sql) return printSql(migrations, db.schema)
  say(session, migrations, before.version, options.dryRun === true)
}

function say({ db, where }: Session, migrations: readonly Migration[], from: number, dryRun: boolean): void {
  const place = `schema ${colors.bold(db.schema)} of ${where}`
  if (migrations.length === 0) return print(`${colors.green('ok')} ${place} is up to date, at version ${from}`)
  const verb = dryRun
    ? `would be brought from version ${from} to ${SCHEMA_VERSION}`
    : `was brought to version ${SCHEMA_VERSION}`
  print(`${dryRun ? '' : `${colors.green('ok')} `}${place} ${verb}`)
  print(
    table(
      ['number', 'kind', 'name'],
      migrations.map(({ number, kind, name }) => [String(number), kind, name]),
    ),
  )
  if (dryRun && migrations.some((each) => each.kind === 'breaking')) {
    remark('A breaking migration stops workers of older releases: drain them before it.')
  }
}

function printSql(migrations: readonly Migration[], schema: string): void {
  for (const { number, name } of migrations) print(`-- ${number} ${name}\n${migrationText(number, schema).trimEnd()}\n`)
}
