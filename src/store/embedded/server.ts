import { type ChildProcess, spawn } from 'node:child_process'
import { copyFile, open, readFile, stat, truncate } from 'node:fs/promises'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { asAccount, giveTo } from './account.ts'
import type { Binaries } from './binaries.ts'
import { runFailure, startFailure } from './failure.ts'
import type { Home } from './home.ts'
import { SERVER_ENVIRONMENT } from './initdb.ts'
import { isPostmasterOf, readPostmaster, runningPostmaster } from './postmaster.ts'

const POLL = 5
const START_ATTEMPTS = 50
/** Replaying the log after a crash is inside it. */
const START_TIMEOUT = 120_000
const STOP_TIMEOUT = 20_000
const LARGEST_LOG = 5_000_000

/**
 * Starts the server and waits until it accepts connections; its port is returned. It runs in a session of its own, so
 * that a Ctrl-C in the terminal does not reach it. It listens on 127.0.0.1 alone: the path of a socket file would have
 * to be shorter than 108 bytes.
 *
 * @throws HF_EMBEDDED_START with the server's own message
 */
export async function startServer(home: Home, binaries: Binaries, data: string, wishedPort: number): Promise<number> {
  let port = wishedPort
  for (let attempt = 1; ; attempt++) {
    const launched = await launch(home, binaries, data, port)
    if (await untilReady(data, launched)) return port

    const said = (await readFile(home.log)).subarray(launched.logStart).toString()
    // The first is a line of its log, which `log_min_messages` may leave out; the second is always there.
    const portTaken = /Address already in use|could not create any TCP\/IP sockets/.test(said)
    // Sessions of a server that was killed need a moment to notice it.
    const predecessorLives = said.includes('pre-existing shared memory block')
    if (attempt === START_ATTEMPTS || !(portTaken || predecessorLives)) {
      throw startFailure(`The embedded PostgreSQL server did not start (${describeEnd(launched.child)})`, said)
    }
    if (portTaken) port = await freePort()
    else await sleep(100)
  }
}

/** Waits until a server that somebody else started accepts connections; undefined when it ended instead. */
export async function adoptServer(home: Home, data: string): Promise<number | undefined> {
  const deadline = performance.now() + START_TIMEOUT
  while (true) {
    const running = await runningPostmaster(data)
    if (running === undefined) return undefined
    if (running.ready) return running.port
    if (performance.now() > deadline) {
      const said = await readFile(home.log, 'utf8').catch(() => '')
      throw startFailure(`The embedded PostgreSQL server (process ${running.pid}) does not get ready`, said)
    }
    await sleep(POLL)
  }
}

/** Ends the server: sessions are cut, the data is complete on disk. Whether it is gone. */
export async function stopServer(data: string): Promise<boolean> {
  const running = await runningPostmaster(data)
  if (running === undefined) return true
  process.kill(running.pid, 'SIGINT')
  if (await untilGone(data, running.pid, STOP_TIMEOUT)) return true
  // Stop at once; the next start replays the log.
  if (await isPostmasterOf(data, running.pid)) process.kill(running.pid, 'SIGQUIT')
  return untilGone(data, running.pid, STOP_TIMEOUT)
}

/** A free port of 127.0.0.1. Somebody else may take it before the server does; then another one is tried. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.on('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

/** The log is appended to while the server runs; when it has grown, its content moves aside. Two of them are the most. */
export async function trimLog(log: string): Promise<void> {
  const size = await stat(log).then(
    (stats) => stats.size,
    () => 0,
  )
  if (size < LARGEST_LOG) return
  await copyFile(log, `${log}.old`)
  await truncate(log)
}

interface Launched {
  readonly child: ChildProcess
  /** Where in the log the messages of this start begin. */
  readonly logStart: number
  /** Why the program could not be run at all. */
  readonly problem: () => Error | undefined
}

async function launch(home: Home, binaries: Binaries, data: string, port: number): Promise<Launched> {
  await trimLog(home.log)
  const log = await open(home.log, 'a', 0o600)
  try {
    await giveTo(home.account, home.log)
    const logStart = (await log.stat()).size
    const settings = { listen_addresses: '127.0.0.1', port, unix_socket_directories: '' }
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const child = spawn(binaries.postgres, ['-D', data, ...flags], {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: SERVER_ENVIRONMENT,
      cwd: '/',
      ...asAccount(home.account),
    })
    let problem: Error | undefined
    child.on('error', (error) => {
      problem = error
    })
    child.unref()
    return { child, logStart, problem: () => problem }
  } finally {
    await log.close()
  }
}

/** Whether the server got ready; false when it ended instead, or had to be ended. */
async function untilReady(data: string, { child, problem }: Launched): Promise<boolean> {
  const deadline = performance.now() + START_TIMEOUT
  while (true) {
    await sleep(POLL)
    const error = problem()
    if (error !== undefined) throw runFailure(child.spawnfile, error)
    if (child.exitCode !== null || child.signalCode !== null) return false
    const written = await readPostmaster(data)
    if (written?.ready && written.pid === child.pid) return true
    if (performance.now() > deadline) child.kill('SIGQUIT')
  }
}

async function untilGone(data: string, pid: number, timeout: number): Promise<boolean> {
  const deadline = performance.now() + timeout
  while ((await readPostmaster(data))?.pid === pid && (await isPostmasterOf(data, pid))) {
    if (performance.now() > deadline) return false
    await sleep(POLL)
  }
  return true
}

function describeEnd({ exitCode, signalCode }: ChildProcess): string {
  return signalCode ?? `exit code ${exitCode}`
}
