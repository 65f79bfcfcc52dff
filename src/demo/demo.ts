import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Database } from '../store/db.ts'
import { openEmbedded } from '../store/embedded/embedded.ts'
import { Faults } from './faults.ts'
import { writeFiles } from './files.ts'
import { Fleet } from './fleet.ts'
import { type DemoOptions, runImport } from './import.ts'
import { loadPlaces, type Places } from './places.ts'
import { createTable, readTable } from './table.ts'
import type { Evidence } from './verdict.ts'
import { Witness } from './witness.ts'

const FILES = 6
/** In seconds: short, as after a spot reclaim. */
const GRACE = 3
/** A batch takes about this long, whatever its size: the service that it waits for, its transaction. */
const BATCH_MS = 250
/** The import is to last for as many deploys at least: the third kill is the ninth. */
const DEPLOYS = 11
const MOST_IN_BATCH = 500

/** Imports real data while its workers are replaced, killed and frozen, and gathers what there is to judge that by. */
export async function runDemo(options: DemoOptions): Promise<Evidence> {
  const { signal, keep, onPhase } = options
  const begun = performance.now()
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-demo-'))
  // PostgreSQL refuses to run as root: the user that it is lent must reach the folder.
  await chmod(folder, 0o755)
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(() => (keep ? onPhase(`kept: ${folder}`) : clear(folder)))

  const starting = openEmbedded({ folder })
  starting.catch(() => {})
  cleanup.defer(async () => (await starting.catch(() => undefined))?.release())
  const places = await loadPlaces(options.rows)
  const files = await writeFiles(places, FILES, folder)
  const server = await starting
  signal.throwIfAborted()
  const db = new Database({ url: server.url, schema: 'holdfast' })
  cleanup.defer(() => db.close())
  await createTable(db)

  const witness = new Witness(path.join(folder, 'witness.jsonl'), signal)
  cleanup.defer(() => witness.close())
  const fleet = new Fleet({
    folder,
    witness: path.join(folder, 'witness.jsonl'),
    grace: GRACE,
    batches: batchSizes(places, options.every),
    dropFence: options.dropFence,
  })
  cleanup.defer(() => fleet.kill())

  const faults = new Faults({ witness, db, grace: GRACE, signal })
  await runImport(server.url, files, { fleet, witness, faults }, options)
  witness.read()
  onPhase('all workers have left; comparing the table with the source, row by row')
  const table = await readTable(db, places)
  return {
    rows: places.rows,
    table,
    lines: witness.lines,
    strikes: faults.strikes,
    wallMs: Math.round(performance.now() - begun),
  }
}

/** Two sizes, for releases take turns: a cursor does not mind. */
function batchSizes(places: Places, every: number): number[] {
  const batches = (DEPLOYS * every) / BATCH_MS
  const size = Math.max(1, Math.min(MOST_IN_BATCH, Math.ceil(places.rows / FILES / batches)))
  return [size, Math.max(1, Math.floor(size * 0.8))]
}

export async function clear(folder: string): Promise<void> {
  // A link, when the server's user could not reach the folder.
  const data = await realpath(path.join(folder, '.holdfast', 'pg')).catch(() => folder)
  for (const each of [data, folder]) await rm(each, { recursive: true, force: true, maxRetries: 5 })
}
