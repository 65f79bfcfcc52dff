// A program that stands in for supervisord and supervisorctl where they are not installed: starts programs, each as the leader of a group;
// stops them by SIGTERM to the group and, `stopwaitsecs` later, SIGKILL to the group.
import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync, openSync, readFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import type { Program } from './supervisor.ts'

const RESPAWN_MS = 1_000

const [mode, file = '', ...words] = process.argv.slice(2)
const { folder, programs } = JSON.parse(readFileSync(file, 'utf8')) as { folder: string; programs: Program[] }
const socket = path.join(folder, 's.sock')
const children = new Map<string, ChildProcess>()
const wanted = new Set<string>()

function start({ name, command, directory }: Program): void {
  wanted.add(name)
  const log = openSync(path.join(folder, `${name}.log`), 'a')
  const [program = '', ...args] = command.split(' ')
  const child = spawn(program, args, { cwd: directory, detached: true, stdio: ['ignore', log, log] })
  children.set(name, child)
  appendFileSync(path.join(folder, 'supervisord.log'), `spawned: '${name}' with pid ${child.pid}\n`)
  child.on('exit', () => {
    children.delete(name)
    const again = programs.find((each) => each.name === name)
    setTimeout(() => again && wanted.has(name) && !children.has(name) && start(again), RESPAWN_MS)
  })
}

function stop({ name, stopwaitsecs }: Program): Promise<void> {
  wanted.delete(name)
  const child = children.get(name)
  if (child?.pid === undefined) return Promise.resolve()
  const group = -child.pid
  return new Promise((resolve) => {
    const timer = setTimeout(() => process.kill(group, 'SIGKILL'), stopwaitsecs * 1_000)
    child.on('exit', () => {
      clearTimeout(timer)
      resolve()
    })
    process.kill(group, 'SIGTERM')
  })
}

async function obey(line: string, reply: Socket): Promise<void> {
  const [verb, ...names] = line.trim().split(' ')
  for (const program of programs.filter(({ name }) => names.includes(name))) {
    if (verb === 'stop' || verb === 'restart') {
      await stop(program)
      reply.write(`${program.name}: stopped\n`)
    }
    if (verb === 'start' || verb === 'restart') {
      start(program)
      reply.write(`${program.name}: started\n`)
    }
  }
  reply.end()
}

if (mode === 'serve') {
  for (const program of programs) start(program)
  createServer((reply) => reply.once('data', (line) => void obey(String(line), reply))).listen(socket)
  process.on('SIGTERM', () => void Promise.all(programs.map(stop)).then(() => process.exit(0)))
} else {
  const line = connect(socket)
  line.write(`${words.join(' ')}\n`)
  process.stdout.write(await text(line))
}
