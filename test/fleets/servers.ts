import { type ChildProcess, spawn } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { unusedPort } from '../compat/program.ts'
import { until } from '../support/until.ts'

/** A broker of the run's own, on this machine only. */
export interface Broker {
  readonly url: string
  stop(): Promise<void>
}

const RABBIT = '/usr/lib/rabbitmq/bin/rabbitmq-server'

export async function startRedis(): Promise<Broker> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-redis-'))
  const port = await unusedPort()
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder]
  const server = launch('redis-server', settings, folder)
  await listens(server, port)
  return { url: `redis://127.0.0.1:${port}/0`, stop: () => stop([server], folder) }
}

/** With its own name server and data folder: whatever RabbitMQ the machine has is left alone. */
export async function startRabbit(): Promise<Broker> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-rabbit-'))
  const [port, names, nodes] = [await unusedPort(), await unusedPort(), await unusedPort()]
  await mkdir(path.join(folder, 'data'))
  const settings = path.join(folder, 'env.conf')
  await writeFile(settings, '')
  const env = { ERL_EPMD_ADDRESS: '127.0.0.1', ERL_EPMD_PORT: String(names) }
  const epmd = launch('epmd', ['-port', String(names)], folder, env)
  await listens(epmd, names)
  const server = launch(RABBIT, [], folder, {
    ...env,
    HOME: folder,
    RABBITMQ_NODENAME: `holdfast${port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(nodes),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_MNESIA_BASE: path.join(folder, 'data'),
    RABBITMQ_LOG_BASE: folder,
    RABBITMQ_LOGS: '-',
    RABBITMQ_ENABLED_PLUGINS_FILE: path.join(folder, 'plugins'),
    RABBITMQ_CONFIG_FILE: path.join(folder, 'rabbitmq'),
    RABBITMQ_ADVANCED_CONFIG_FILE: path.join(folder, 'advanced.config'),
    RABBITMQ_CONF_ENV_FILE: settings,
  })
  await listens(server, port)
  return { url: `amqp://guest:guest@127.0.0.1:${port}//`, stop: () => stop([server, epmd], folder) }
}

/** @throws saying what to do: a suite that was asked for is never skipped. */
export async function requirePrograms(...files: string[]): Promise<void> {
  for (const file of files) {
    await access(file, constants.X_OK).catch(() => {
      throw new Error(`${file} is missing. Run test/fleets/install.sh once.`)
    })
  }
}

interface Launched {
  readonly child: ChildProcess
  readonly said: () => string
}

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) killGroup(child)
})

function launch(program: string, args: readonly string[], cwd: string, env: Record<string, string> = {}): Launched {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    cwd,
    env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', ...env },
  })
  running.add(child)
  child.once('close', () => running.delete(child))
  let output = ''
  const hear = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-4_000)
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  child.once('error', (error) => hear(Buffer.from(error.message)))
  return { child, said: () => output }
}

async function listens({ child, said }: Launched, port: number): Promise<void> {
  await until(() => answers(port), {
    deadline: 90_000,
    every: 100,
    what: () => `${child.spawnfile} listens; it said:\n${said()}`,
  })
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}

async function stop(servers: readonly Launched[], folder: string): Promise<void> {
  for (const { child } of servers) {
    // Nothing of it is kept.
    killGroup(child)
    await until(() => !running.has(child), { what: `${child.spawnfile} is gone` })
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch {
    // Gone already.
  }
}
