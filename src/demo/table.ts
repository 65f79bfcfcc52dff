import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../store/db.ts'
import { COLUMNS } from './files.ts'
import type { Place, Places } from './places.ts'

/** What is in the table, compared with the source, row by row. */
export interface TableFacts {
  readonly rows: number
  /** Rows that the source does not have: another id, or another value in any column. */
  readonly wrong: number
  /** How often place `id` is there. */
  readonly times: Uint8Array
  /** Which release wrote place `id`; 0: nobody. */
  readonly writer: Int32Array
  /** Who wrote it again. */
  readonly again: readonly { readonly id: number; readonly release: number }[]
}

/** No key, no unique constraint: nothing but the engine stands between a row and its double. */
const CREATE = `
  create table place (id int not null, kind text not null, country text not null, region text not null, district text not null,
    name text not null, latitude numeric, longitude numeric, imported_by text not null)`

export async function createTable(db: Database): Promise<void> {
  await db.query(CREATE)
}

/** Whether a release has a row among these ids, at this moment. */
export async function wrote(db: Database, release: number, from: number, to: number): Promise<boolean> {
  const text = 'select from place where imported_by = $1 and id between $2 and $3 limit 1'
  const { rows } = await db.query(text, [`release-${release}`, from, to])
  return rows.length > 0
}

const PAGE = 20_000

export async function readTable(db: Database, places: Places): Promise<TableFacts> {
  await quiet(db)
  const times = new Uint8Array(places.rows + 1)
  const writer = new Int32Array(places.rows + 1)
  const again: { id: number; release: number }[] = []
  let rows = 0
  let wrong = 0
  await db.transaction(async (client) => {
    await client.query(`declare rows cursor for select id, ${COLUMNS.join(', ')}, imported_by from place`)
    for (;;) {
      const page = (await client.query(`fetch ${PAGE} from rows`)).rows as Row[]
      for (const row of page) {
        const release = Number(row.imported_by.replace('release-', ''))
        if (!isSame(row, places)) wrong++
        else if (times[row.id] === 0) writer[row.id] = release
        else again.push({ id: row.id, release })
        if (isSame(row, places)) times[row.id] = Math.min(255, (times[row.id] ?? 0) + 1)
      }
      rows += page.length
      if (page.length < PAGE) return
    }
  })
  return { rows, wrong, times, writer, again }
}

interface Row extends Place {
  readonly id: number
  readonly imported_by: string
}

function isSame(row: Row, places: Places): boolean {
  if (row.id < 1 || row.id > places.rows) return false
  const place = places.at(row.id)
  return COLUMNS.every((column) => {
    if (column === 'latitude' || column === 'longitude') return Number(row[column] ?? '') === Number(place[column])
    return row[column] === place[column]
  })
}

const QUIET_MS = 5_000

/** The server may still be at the last statement of a client that was killed. */
async function quiet(db: Database): Promise<void> {
  const text = `select from pg_stat_activity
    where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid() and state <> 'idle'`
  for (const deadline = performance.now() + QUIET_MS; performance.now() < deadline; await sleep(50)) {
    if ((await db.query(text)).rows.length === 0) return
  }
}
