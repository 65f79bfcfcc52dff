import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestProject } from 'vitest/node'
import { openEmbedded } from '../../src/store/embedded/embedded.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Connection string of the server's `postgres` database, with the right to create databases. */
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
  const server = await openEmbedded({ folder, temporary: true, settings: SETTINGS })
  project.provide('serverUrl', server.url)
  return async () => {
    await server.release()
    await rm(folder, { recursive: true, force: true })
  }
}

export const SETTINGS = {
  max_connections: 300,
  shared_buffers: '256MB',
  max_wal_size: '4GB',
  file_copy_method: 'clone',
  log_min_messages: 'fatal',
}
