import { stat } from 'node:fs/promises'
import { HoldfastError } from '../../model/errors.ts'
import { type Binaries, findBinaries } from './binaries.ts'
import type { Home } from './home.ts'
import { dataFolder, type InitOptions, initdb, type Keys, readKeys } from './initdb.ts'
import { disownReusedPid } from './postmaster.ts'
import { usablePrograms } from './programs.ts'
import { adoptServer, freePort, startServer } from './server.ts'

/**
 * The connection string of a server that runs: the one that is found, or one that is started now. The caller has the
 * turn. Without `init` a data folder that is gone stays gone.
 */
export async function ensureServer(home: Home, init?: InitOptions): Promise<string> {
  const installed = await findBinaries(home.project)
  const data = dataFolder(home, installed)
  const keys = await readKeys(data)
  if (keys !== undefined) {
    const port = await adoptServer(home, data)
    if (port !== undefined) return connectionString(keys, port)
  }

  const binaries = await usablePrograms(installed, home.root, home.account)
  const { password, port } = keys ?? (await firstKeys(home, binaries, data, init))
  await disownReusedPid(data)
  return connectionString({ password, port }, await startServer(home, binaries, data, port))
}

async function firstKeys(home: Home, binaries: Binaries, data: string, init?: InitOptions): Promise<Keys> {
  const present = await stat(data).then(
    () => true,
    () => false,
  )
  if (present || init === undefined) {
    throw new HoldfastError('HF_EMBEDDED_FOLDER', `${data} has lost its file holdfast.json, which holds the password`)
  }
  return initdb(home, binaries, await freePort(), init)
}

function connectionString({ password }: Keys, port: number): string {
  return `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
}
