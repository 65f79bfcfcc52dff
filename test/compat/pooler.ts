import { appendFile, chmod, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import { inject } from 'vitest'
import { openHome, requireProgram, type Server, startProgram, unusedPort } from './program.ts'

const PROGRAM = '/usr/sbin/pgbouncer'

/** Server connections for each database: fewer than a worker would like to have. */
export const POOL_SIZE = 4

/** pgbouncer in front of the run's server. A file of tests has one to itself, so that it may be restarted. */
export interface Pooler extends AsyncDisposable {
  /** The address of a database behind it. */
  urlOf(database: string): string
  /** A command of its console: `reconnect`, `pause`, `show servers`. */
  admin<Row = Record<string, unknown>>(command: string): Promise<Row[]>
  /** All connections of both sides break at once; after `downMs` it is there again. */
  restart(downMs?: number): Promise<void>
  /** What it has said. */
  log(): Promise<string>
}

export async function startPooler(mode: 'transaction' | 'session' = 'transaction', size = POOL_SIZE): Promise<Pooler> {
  await requireProgram(PROGRAM)
  const server = new URL(inject('serverUrl'))
  const home = await openHome()
  const port = await unusedPort()
  const [config, users, log] = ['pgbouncer.ini', 'users.txt', 'log'].map((name) => path.join(home.folder, name)) as [
    string,
    string,
    string,
  ]
  await writeFile(users, `"${server.username}" "${server.password}"\n`)
  await appendFile(log, '')
  await chmod(log, 0o666)
  await writeFile(
    config,
    `[databases]
* = host=127.0.0.1 port=${server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
admin_users = ${server.username}
pool_mode = ${mode}
default_pool_size = ${size}
max_client_conn = 300
server_login_retry = 1
logfile = ${log}
`,
  )
  const urlOf = (database: string) => {
    const url = new URL(server)
    url.port = String(port)
    url.pathname = `/${database}`
    return url.href
  }
  const start = () => startProgram(home, PROGRAM, ['--quiet', config], urlOf('pgbouncer'))
  let running: Server = await start()
  return {
    urlOf,
    async admin<Row>(command: string) {
      const client = new pg.Client({ connectionString: urlOf('pgbouncer') })
      await client.connect()
      try {
        return (await client.query(command)).rows as Row[]
      } finally {
        await client.end()
      }
    },
    async restart(downMs = 0) {
      await running.stop('SIGTERM')
      if (downMs > 0) await new Promise((resolve) => setTimeout(resolve, downMs))
      running = await start()
    },
    log: () => readFile(log, 'utf8'),
    async [Symbol.asyncDispose]() {
      await running.stop('SIGTERM')
      await home[Symbol.asyncDispose]()
    },
  }
}
