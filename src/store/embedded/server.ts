import { type ChildProcess, spawn } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Account, giveTo } from './account.ts'
import type { Binaries } from './binaries.ts'
import { serverEnvironment, startError } from './initdb.ts'
import { type Postmaster, readPostmaster } from './postmaster.ts'

export interface ServerOptions {
  readonly binaries: Binaries
  readonly data: string
  /** File that takes the server's messages. */
  readonly log: string
  readonly account: Account | undefined
  /** PostgreSQL settings, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string | number>>
  /** Milliseconds until the server must accept connections; replaying the log after a crash is inside it. */
  readonly timeout?: number
}

const POLL = 5
const START_ATTEMPTS = 5

/**
 * Starts a server in its own session, so that a Ctrl-C in the terminal does not reach it, and waits until it accepts
 * connections. It listens on 127.0.0.1 alone, on a free port: socket files would need a path below 108 bytes.
 *
 * @throws HF_EMBEDDED_START with the server's own message
 */
export async function startServer(options: ServerOptions): Promise<Postmaster> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const { child, logStart } = await launch(options, port)
    const started = await untilReady(options, child)
    if (started !== undefined) return started

    const log = (await readFile(options.log)).subarray(logStart).toString()
    // Somebody may take the port between our look and the server's.
    const portTaken = log.includes('Address already in use')
    if (portTaken && attempt < START_ATTEMPTS) continue
    throw startError('The embedded PostgreSQL server did not start', log.slice(-8_000))
  }
}

/** Ends a server that runs in the data folder: open transactions are rolled back, the data is complete on disk. */
export async function stopServer(data: string, timeout = 20_000): Promise<void> {
  const running = await readPostmaster(data)
  if (running === undefined) return
  signal(running.pid, 'SIGINT')
  if (await untilGone(data, running.pid, timeout)) return
  signal(running.pid, 'SIGQUIT')
  await untilGone(data, running.pid, 5_000)
}

async function launch({ binaries, data, log, account, settings = {} }: ServerOptions, port: number) {
  const file = await open(log, 'a', 0o600)
  try {
    await giveTo(account, log)
    const logStart = (await file.stat()).size
    const all = { listen_addresses: '127.0.0.1', port, unix_socket_directories: '', timezone: 'UTC', ...settings }
    const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const child = spawn(binaries.postgres, ['-D', data, ...flags], {
      detached: true,
      stdio: ['ignore', file.fd, file.fd],
      env: serverEnvironment(),
      cwd: '/',
      ...(account && { uid: account.uid, gid: account.gid }),
    })
    child.unref()
    return { child, logStart }
  } finally {
    await file.close()
  }
}

/** The server's facts once it is ready; undefined when it ended instead. */
async function untilReady(options: ServerOptions, child: ChildProcess): Promise<Postmaster | undefined> {
  const deadline = Date.now() + (options.timeout ?? 60_000)
  let failed: Error | undefined
  child.on('error', (error) => {
    failed = error
  })
  while (true) {
    await sleep(POLL)
    if (failed !== undefined) throw startError(`Could not run ${options.binaries.postgres}`, failed.message, failed)
    if (child.exitCode !== null || child.signalCode !== null) return undefined
    const running = await readPostmaster(options.data)
    if (running?.ready && running.pid === child.pid) return running
    if (Date.now() < deadline) continue
    child.kill('SIGQUIT')
    return undefined
  }
}

async function untilGone(data: string, pid: number, timeout: number): Promise<boolean> {
  const deadline = Date.now() + timeout
  while ((await readPostmaster(data))?.pid === pid) {
    if (Date.now() > deadline) return false
    await sleep(POLL)
  }
  return true
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // Gone already.
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.on('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
