import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { openEmbedded } from '../../src/store/embedded/embedded.ts'
import { describeMachine, type Machine } from './machine.ts'

/** A PostgreSQL server of the run's own, durable as the server is by default; all systems are measured on it. */
export interface Server extends AsyncDisposable {
  readonly machine: Machine
  /** An empty database. A database of that name is dropped first. */
  create(name: string): Promise<string>
  drop(name: string): Promise<void>
  /** Writes out what is dirty, so that the next measurement does not pay for the last one. */
  checkpoint(): Promise<void>
}

export async function openServer(): Promise<Server> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-bench-'))
  const embedded = await openEmbedded({ folder, settings: { max_connections: 300 } })
  const admin = new pg.Client(embedded.url)
  await admin.connect()
  const run = (text: string) => admin.query(text)
  const drop = async (name: string) => {
    await run(`drop database if exists ${pg.escapeIdentifier(name)} with (force)`)
  }
  return {
    machine: await describeMachine(admin, folder),
    create: async (name) => {
      await drop(name)
      await run(`create database ${pg.escapeIdentifier(name)}`)
      const url = new URL(embedded.url)
      url.pathname = `/${name}`
      return url.href
    },
    drop,
    checkpoint: async () => {
      await run('checkpoint')
    },
    [Symbol.asyncDispose]: async () => {
      await admin.end()
      await embedded.release()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** One connection for the length of `work`. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** The first column of the first row, as a number. */
export async function number(client: pg.Client, text: string, values: unknown[] = []): Promise<number> {
  const { rows } = await client.query({ text, values, rowMode: 'array' })
  return Number(rows[0]?.[0])
}

/** After a fill: statistics as a table of this size has them in life, and no vacuum that strikes inside a measurement. */
export async function settle(server: Server, url: string): Promise<void> {
  await withClient(url, (client) => client.query('vacuum analyze'))
  await server.checkpoint()
}
