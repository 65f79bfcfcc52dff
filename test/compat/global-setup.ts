import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { TestProject } from 'vitest/node'
import { openHome, requireProgram, runProgram, startProgram, unusedPort } from './program.ts'

/** Debian's PostgreSQL 15; HOLDFAST_COMPAT_POSTGRES names the folder of another one's programs. */
const PROGRAMS = process.env['HOLDFAST_COMPAT_POSTGRES'] ?? '/usr/lib/postgresql/15/bin'

/**
 * Only what tests on one machine need. Everything else is as Debian ships it, `jit` for one: compiling a statement that looks expensive
 * takes longer than running it.
 */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: 200,
  fsync: 'off',
  full_page_writes: 'off',
  log_min_messages: 'fatal',
}

/** One cluster for the whole run, thrown away afterwards. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const initdb = path.join(PROGRAMS, 'initdb')
  const postgres = path.join(PROGRAMS, 'postgres')
  await requireProgram(initdb)
  await requireProgram(postgres)
  const home = await openHome()
  const data = path.join(home.folder, 'data')
  const password = randomBytes(16).toString('hex')
  const secret = path.join(home.folder, 'secret')
  await writeFile(secret, password, { mode: 0o644 })
  await runProgram(home, initdb, [
    `--pgdata=${data}`,
    `--pwfile=${secret}`,
    '--username=postgres',
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C.UTF-8',
    '--no-sync',
  ])
  const port = await unusedPort()
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
  const settings = Object.entries({ ...SETTINGS, port }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const server = await startProgram(home, postgres, ['-D', data, ...settings], url)
  project.provide('serverUrl', url)
  return async () => {
    await server.stop('SIGINT')
    await home[Symbol.asyncDispose]()
  }
}
