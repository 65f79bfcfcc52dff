import { spawn } from 'node:child_process'
import { rename, rm, writeFile } from 'node:fs/promises'
import { HoldfastError } from '../../model/errors.ts'
import { type Account, giveTo } from './account.ts'
import type { Binaries } from './binaries.ts'

export interface InitOptions {
  readonly binaries: Binaries
  /** The data folder to make; it must not exist. */
  readonly data: string
  readonly password: string
  readonly account: Account | undefined
  /** Wait until the files are on the disk. Off only where the data is thrown away. */
  readonly sync: boolean
}

/**
 * Makes a data folder: UTF-8, sorted by code point whatever the machine's locale, UTC. It appears under its name only
 * when it is complete, so a start that was killed half-way leaves nothing that looks like a database.
 */
export async function initdb({ binaries, data, password, account, sync }: InitOptions): Promise<void> {
  const half = `${data}.half`
  const secret = `${data}.secret`
  await rm(half, { recursive: true, force: true })
  await writeFile(secret, password, { mode: 0o600 })
  try {
    await giveTo(account, secret)
    await run(binaries.initdb, account, [
      `--pgdata=${half}`,
      '--username=postgres',
      `--pwfile=${secret}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--locale=C',
      '--no-instructions',
      ...(sync ? [] : ['--no-sync']),
    ])
    await rename(half, data)
  } finally {
    await rm(secret, { force: true })
  }
}

/** The environment of every PostgreSQL program: the caller's PG* variables must not steer our server. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name))
  return { ...Object.fromEntries(inherited), LC_ALL: 'C', TZ: 'UTC' }
}

function run(program: string, account: Account | undefined, args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: serverEnvironment(),
      cwd: '/',
      detached: true,
      ...(account && { uid: account.uid, gid: account.gid }),
    })
    let said = ''
    const listen = (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-8_000)
    }
    child.stdout.on('data', listen)
    child.stderr.on('data', listen)
    child.on('error', (error) => reject(startError(`Could not run ${program}`, error.message, error)))
    child.on('close', (code, signal) => {
      if (code === 0) resolve()
      else reject(startError(`initdb failed (${signal ?? `exit code ${code}`})`, said))
    })
  })
}

/** An error that carries the server's own words, which say what is wrong better than we could. */
export function startError(what: string, log: string, cause?: unknown): HoldfastError {
  const said = log.trim()
  return new HoldfastError('HF_EMBEDDED_START', said === '' ? what : `${what}. It said:\n${said}\n`, { cause })
}
