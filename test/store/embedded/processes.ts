import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import type { EmbeddedOptions } from '../../../src/store/embedded/embedded.ts'
import { isPostmasterOf, readPostmaster } from '../../../src/store/embedded/postmaster.ts'

export const isRoot = process.getuid?.() === 0
export const NOBODY = 65534

export interface Opened {
  readonly url: string
  readonly ms: number
}

export interface Refused {
  readonly code: string
  readonly message: string
}

export interface SpawnAs {
  readonly uid?: number
  /** A process group of its own, as a job of a terminal has. */
  readonly detached?: boolean
}

/** A process that opens the embedded server; `opened` settles with what it printed first. */
function startMember(options: EmbeddedOptions, { uid, detached = false }: SpawnAs = {}) {
  const script = fileURLToPath(new URL('./member.ts', import.meta.url))
  const child = spawn(process.execPath, ['--no-warnings', script, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached,
    ...(uid !== undefined && { uid, gid: uid, env: {} }),
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const nextLine = async (): Promise<unknown> => {
    const { value, done } = await lines.next()
    if (done) throw new Error('The member ended without a word')
    return JSON.parse(value)
  }
  const first = nextLine()
  first.catch(() => {})
  return {
    child,
    opened: () => first as Promise<Opened>,
    refused: () => first as Promise<Refused>,
    async leave(): Promise<void> {
      const gone = once(child, 'exit')
      child.stdin.write('leave\n')
      await gone
    },
    kill: (signal: NodeJS.Signals = 'SIGKILL') => end(child, signal),
  }
}

export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  await gone
}

/** An empty project folder, removed with everything that still runs in it. */
export async function makeProject(owner?: number) {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-embedded-'))
  if (owner !== undefined) await chown(folder, owner, owner)
  const data = path.join(folder, '.holdfast', 'pg', '18')
  const members: ReturnType<typeof startMember>[] = []
  return {
    folder,
    data,
    /** Starts a process that opens the embedded server of the project. */
    start(options: Omit<EmbeddedOptions, 'folder'> = {}, as: SpawnAs = {}) {
      const member = startMember({ folder, ...options }, as)
      members.push(member)
      return member
    },
    /** The process id of the server that runs now. */
    async serverPid(): Promise<number | undefined> {
      const written = await readPostmaster(data)
      return written && (await isPostmasterOf(data, written.pid)) ? written.pid : undefined
    },
    async logSays(words: string): Promise<boolean> {
      return (await readFile(path.join(data, '..', 'server.log'), 'utf8')).includes(words)
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await Promise.all(members.map((member) => member.kill()))
      const pid = await this.serverPid()
      if (pid !== undefined) process.kill(pid, 'SIGQUIT')
      await until(async () => (await this.serverPid()) === undefined, 'the server is gone')
      await until(async () => (await keepersOf(folder)).length === 0, 'the keeper is gone')
      const elsewhere = await readlink(path.join(folder, '.holdfast', 'pg')).catch(() => undefined)
      if (elsewhere !== undefined) await rm(elsewhere, { recursive: true, force: true })
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The keepers of a project, found by their command line. */
export async function keepersOf(folder: string): Promise<number[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const commands = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')))
  const isKeeper = (command = '') => command.includes('await keep(') && command.includes(folder)
  return ids.map(Number).filter((_, at) => isKeeper(commands[at]))
}

export async function until(holds: () => Promise<boolean>, what: string, timeout = 15_000): Promise<void> {
  const deadline = Date.now() + timeout
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`Waited ${timeout} ms in vain until ${what}`)
    await sleep(20)
  }
}

/** A connection that stays until its server dies, and the server's process behind it. */
export async function openSession(url: string): Promise<{ pid: number }> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  return { pid: rows[0]?.pid ?? 0 }
}

/** Asks the server once, over a connection of its own. */
export async function ask(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

export async function answers(url: string): Promise<boolean> {
  return ask(url, 'select 1').then(
    () => true,
    () => false,
  )
}
