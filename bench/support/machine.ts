import { closeSync, fdatasyncSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import path from 'node:path'
import type pg from 'pg'
import { now } from './clock.ts'
import { median } from './statistics.ts'

export interface Machine {
  readonly cores: number
  readonly processor: string
  readonly memoryGb: number
  readonly node: string
  readonly postgres: string
  /** Those that decide what a commit costs. */
  readonly postgresSettings: Readonly<Record<string, string>>
  /** What the disk asks for making 8 kB durable, ms; median of 100. */
  readonly fdatasyncMs: number
}

const SETTINGS = [
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'wal_sync_method',
  'shared_buffers',
  'max_wal_size',
  'checkpoint_timeout',
  'max_connections',
]

/** What a reader needs to know of the machine; nothing that names it. */
export async function describeMachine(client: pg.Client, folder: string): Promise<Machine> {
  const { rows } = await client.query(
    'select name, current_setting(name) as value from pg_settings where name = any($1)',
    [SETTINGS],
  )
  const version = await client.query('show server_version')
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    postgres: version.rows[0].server_version,
    postgresSettings: Object.fromEntries(rows.map(({ name, value }) => [name, value])),
    fdatasyncMs: fdatasyncCost(folder),
  }
}

/** Processes that wanted a core in the last minute: above the number of cores, every figure is doubtful. */
export function load(): number {
  return Math.round((loadavg()[0] ?? 0) * 10) / 10
}

function fdatasyncCost(folder: string): number {
  const file = path.join(folder, 'fdatasync.probe')
  const descriptor = openSync(file, 'w')
  const page = Buffer.alloc(8192)
  const times = Array.from({ length: 100 }, () => {
    writeSync(descriptor, page, 0, page.length, 0)
    const begun = now()
    fdatasyncSync(descriptor)
    return now() - begun
  })
  closeSync(descriptor)
  unlinkSync(file)
  return Math.round(median(times) * 1000) / 1000
}
