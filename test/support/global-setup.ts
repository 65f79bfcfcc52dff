import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestProject } from 'vitest/node'
import { giveTo, serverAccount } from '../../src/store/embedded/account.ts'
import { findBinaries } from '../../src/store/embedded/binaries.ts'
import { initdb } from '../../src/store/embedded/initdb.ts'
import { startServer, stopServer } from '../../src/store/embedded/server.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Connection string of the server's `postgres` database, with the rights to create databases. */
    serverUrl: string
  }
}

/**
 * One real PostgreSQL server for the whole run, thrown away afterwards. HOLDFAST_TEST_DATABASE_URL names another server
 * to use instead (any version from 14, a user that may create databases).
 */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env['HOLDFAST_TEST_DATABASE_URL']
  if (given) {
    project.provide('serverUrl', given)
    return undefined
  }
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-test-'))
  const account = await serverAccount(folder)
  await giveTo(account, folder)
  const binaries = await findBinaries(folder)
  const data = path.join(folder, 'data')
  await initdb({ binaries, data, account, password: 'test', sync: false })
  const { port } = await startServer({ binaries, data, account, log: path.join(folder, 'log'), settings: THROWAWAY })
  project.provide('serverUrl', `postgres://postgres:test@127.0.0.1:${port}/postgres`)
  return async () => {
    await stopServer(data)
    await rm(folder, { recursive: true, force: true })
  }
}

/** Durability is off: no test pulls the plug of the machine, and a crash of the server alone loses nothing. */
const THROWAWAY = {
  fsync: 'off',
  full_page_writes: 'off',
  max_connections: 300,
  shared_buffers: '256MB',
  max_wal_size: '4GB',
  file_copy_method: 'clone',
  log_min_messages: 'fatal',
}
