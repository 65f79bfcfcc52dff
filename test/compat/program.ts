import { type ChildProcess, spawn } from 'node:child_process'
import { access, chown, constants, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { type Account, asAccount, serverAccount } from '../../src/store/embedded/account.ts'

/** A temporary folder, and who runs programs in it: neither PostgreSQL nor pgbouncer agrees to run as root. */
export interface Home extends AsyncDisposable {
  readonly folder: string
  readonly account: Account | undefined
}

export async function openHome(): Promise<Home> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-compat-'))
  const account = await serverAccount(folder)
  if (account !== undefined) await chown(folder, account.uid, account.gid)
  return { folder, account, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

/** @throws saying what to install: a suite that was asked for is never skipped. */
export async function requireProgram(file: string): Promise<void> {
  await access(file, constants.X_OK).catch(() => {
    throw new Error(
      `${file} is missing. These tests need PostgreSQL 15 and pgbouncer; on Debian 12: apt-get install postgresql-15 pgbouncer`,
    )
  })
}

/** Runs a program to its end. */
export async function runProgram(home: Home, program: string, args: readonly string[]): Promise<void> {
  const child = launch(home, program, args)
  const [code, said] = [await child.ended, child.said] as const
  if (code !== 0) throw new Error(`${program} failed (${code}):\n${said()}`)
}

/** A server that runs until it is stopped. */
export interface Server {
  readonly url: string
  /** Sends a signal and waits for the end. */
  stop(signal: NodeJS.Signals): Promise<void>
}

const READY_WITHIN_MS = 30_000
const GONE_WITHIN_MS = 10_000

/** Starts a server and waits until it answers at `url`. */
export async function startProgram(home: Home, program: string, args: readonly string[], url: string): Promise<Server> {
  const { child, ended, said } = launch(home, program, args)
  let over = false
  void ended.then(() => {
    over = true
  })
  const deadline = performance.now() + READY_WITHIN_MS
  for (;;) {
    const failure = await answers(url)
    if (failure === undefined) break
    if (over || performance.now() > deadline) {
      child.kill('SIGKILL')
      throw new Error(`${program} does not answer: ${failure}\n${said()}`)
    }
    await sleep(20)
  }
  return {
    url,
    async stop(signal) {
      const last = setTimeout(() => child.kill('SIGKILL'), GONE_WITHIN_MS)
      child.kill(signal)
      await ended
      clearTimeout(last)
    },
  }
}

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

function launch({ account }: Home, program: string, args: readonly string[]) {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { LC_ALL: 'C', TZ: 'UTC' },
    cwd: '/',
    ...asAccount(account),
  })
  running.add(child)
  let output = ''
  const hear = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-8_000)
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  const ended = new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => {
      running.delete(child)
      resolve(code ?? signal ?? '')
    })
  })
  return { child, ended, said: () => output }
}

/** Why it does not, or undefined. */
async function answers(url: string): Promise<string | undefined> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    await client.end().catch(() => {})
  }
}

/** A port that nobody listens on, below those that the system hands out to clients: nobody is given it by chance a moment later. */
export async function unusedPort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    const server = createServer()
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
    })
    if (free) return port
  }
}
