import { formatDuration } from '../model/duration.ts'
import { ERRORS } from '../model/errors.ts'
import type { Database } from '../store/db.ts'
import { horizonHolders, notificationsArrive, type ServerHealth } from '../store/health.ts'
import { SCHEMA_VERSION, schemaState } from '../store/migrate.ts'
import type { WorkerReport } from '../store/reports.ts'
import { type Check, ok, warning, wrong } from './doctor-check.ts'
import { count, plural } from './format.ts'
import { short } from './output.ts'

/** A database that answers. */
export interface Server {
  readonly db: Database
  readonly where: string
  readonly health: ServerHealth
  readonly workers: readonly WorkerReport[]
}

const OLDEST = 140_000
const NEWEST = 190_000
const SKEW_MS = 2_000
const PROBE_MS = 2_000
const OLD_SNAPSHOT_MS = 5 * 60_000
const OLD_SNAPSHOT_XIDS = 1_000_000
/** The pool, the hot path's, those lent to handlers, the lease and the listener. */
const CONNECTIONS_A_WORKER = 26

export const SERVER_CHECKS: readonly Check<Server>[] = [
  { name: 'database', look: version },
  { name: 'schema', look: schema },
  { name: 'clock', look: clock },
  { name: 'listen', look: listen },
  { name: 'connections', look: connections },
  { name: 'snapshots', look: snapshots },
]

function version({ where, health }: Server) {
  const { version: number, versionText, replica } = health
  if (number < OLDEST) return wrong(`${where} is PostgreSQL ${versionText}.`, 'Holdfast needs version 14 or later.')
  if (replica) return wrong(`${where} is a replica and takes no writes.`, 'Point `database` at the primary.')
  if (number >= NEWEST)
    return warning(
      `${where} is PostgreSQL ${versionText}, newer than this release knows.`,
      'Look for a newer `holdfast`.',
    )
  return ok(`${where} is PostgreSQL ${versionText}`)
}

async function schema({ db }: Server) {
  const { version: at, pending, unknown } = await schemaState(db)
  const name = `schema ${db.schema}`
  if (unknown.some((migration) => migration.kind === 'breaking')) {
    return wrong(
      `${name} is at version ${at}; this release knows ${SCHEMA_VERSION}, and a later migration broke with it.`,
      ERRORS.HF_SCHEMA_TOO_NEW.cure,
    )
  }
  if (at === 0) return wrong(`There is no ${name}.`, 'Run `holdfast migrate`, or start a worker.')
  if (pending.length > 0) {
    const text = `${name} is at version ${at}; ${plural(pending.length, 'migration')} of this release are missing.`
    const breaking = pending.some((migration) => migration.kind === 'breaking')
    return breaking
      ? wrong(text, ERRORS.HF_SCHEMA_TOO_OLD.cure)
      : warning(text, 'Run `holdfast migrate`, or start a worker of this release.')
  }
  const newer = unknown.length === 0 ? '' : ', of a newer release that this one can work with'
  return ok(`${name} is at version ${at}${newer}`)
}

/** The database's clock decides about jobs, so this is about dates that an application makes of its own clock. */
function clock({ health: { skewMs, uncertaintyMs } }: Server) {
  const size = Math.abs(skewMs)
  const text = `This machine's clock is ${formatDuration(size)} ${skewMs > 0 ? 'behind' : 'ahead of'} the database's`
  if (size - uncertaintyMs <= SKEW_MS) return ok(`${text} (± ${formatDuration(uncertaintyMs)})`)
  return warning(
    `${text}.`,
    'Jobs are timed by the database; but a Date given as `after` or `expires` is off by as much. Let NTP set both clocks.',
  )
}

async function listen({ db }: Server) {
  const direct = process.env['HOLDFAST_LISTEN_URL']
  if (direct === 'off') return ok('HOLDFAST_LISTEN_URL is off: workers poll, and do not listen')
  if (await notificationsArrive(db, direct || db.url, PROBE_MS)) return ok('Notifications arrive')
  return warning(
    `A notification did not arrive in ${formatDuration(PROBE_MS)}: there is a transaction pooler in between. Workers find jobs by polling, up to \`pollInterval\` later.`,
    "Set HOLDFAST_LISTEN_URL to the server's own address, or to `off`.",
  )
}

/** A deploy runs old and new workers side by side: there must be room for as many again. */
function connections({ health, workers }: Server) {
  const { maxConnections, reserved, used } = health
  const free = maxConnections - reserved - used
  const live = workers.filter((worker) => worker.live).length
  const needed = Math.max(1, live) * CONNECTIONS_A_WORKER
  const text = `${count(used)} of ${count(maxConnections)} connections are in use`
  if (free >= needed) return ok(text)
  return warning(
    `${text}; a deploy of ${plural(Math.max(1, live), 'worker')} takes up to ${needed} more while old and new run side by side, and ${Math.max(0, free)} are free.`,
    'Raise max_connections, or put a pooler in between.',
  )
}

/** Dead rows stay as long as somebody might still look at them; claims then read past them. */
async function snapshots({ db, health }: Server) {
  const blind = health.seesAll ? '' : ' Sessions of other roles were not visible: grant pg_read_all_stats to see them.'
  const holders = await horizonHolders(db)
  const old = holders.find(
    (holder) =>
      (holder.ms ?? 0) > OLD_SNAPSHOT_MS || (holder.ms === undefined && (holder.xids ?? 0) > OLD_SNAPSHOT_XIDS),
  )
  if (old === undefined) return ok(`No old transaction is open.${blind}`)
  const { kind, who, detail, ms, xids } = old
  const age = ms === undefined ? `${count(xids ?? 0)} transactions` : formatDuration(ms)
  const end =
    kind === 'session'
      ? `\`select pg_terminate_backend(${who})\` ends it.`
      : kind === 'replication slot'
        ? 'Drop the slot if nobody reads it.'
        : 'Commit it or roll it back.'
  return warning(
    `The ${kind} ${short(who, 60)} (${short(detail, 100)}) has been open for ${age}: no dead row since then can be removed.${blind}`,
    `Look for a forgotten transaction or a long report. ${end}`,
  )
}
