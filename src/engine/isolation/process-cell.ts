import { type ChildProcess, fork } from 'node:child_process'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { watchDeath } from '../death-watch.ts'
import type { Report } from './messages.ts'
import type { OutputStream, Transport, TransportEvents, TransportOptions } from './transport.ts'

/** After the exit, what it printed last may still be on its way, and what it started may hold its output open. */
const LAST_OUTPUT_MS = 50
/** Between the end of a process's channel and that of the process, on a machine that is busy. */
const END_MS = 250
/** That it was killed from here for it says nothing of the cause. */
const SEVERED = {
  code: null,
  signal: null,
  oom: undefined,
  thrown: 'its code closed the channel to its worker',
} as const
const KEPT_ERRORS = 4_096
/** See `leash-thread.ts`. */
export const LEASH_FD = 4

/**
 * A process with a group of its own: signals to the worker's group pass it by, and it dies with everything that it started. A pipe that
 * nothing is ever sent through except to ask where its code is, is its leash: when the worker is gone, however, it ends in the cell, too.
 */
export function openProcess({ entry, heapMb }: TransportOptions, events: TransportEvents): Transport {
  const deathOf = watchDeath()
  // Of what the machine lacks (memory, processes, files), some is thrown and the rest comes as an event.
  const fail = (error: unknown): void =>
    events.onDeath({
      code: null,
      signal: null,
      oom: undefined,
      thrown: error instanceof Error ? error.message : String(error),
    })
  let child: ChildProcess
  try {
    child = fork(fileURLToPath(entry), [], {
      execArgv: [...inherited(), ...(heapMb === undefined ? [] : [`--max-old-space-size=${heapMb}`])],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'],
      detached: true,
    })
  } catch (error) {
    process.nextTick(fail, error)
    return STILLBORN
  }
  child.on('error', (error) => child.pid === undefined && fail(error))
  const leash = child.stdio?.[LEASH_FD] as Duplex | null | undefined
  if (!leash) return STILLBORN
  let errors = ''
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]?.setEncoding('utf8').on('data', (text: string) => {
      if (stream === 'stderr') errors = (errors + text).slice(-KEPT_ERRORS)
      events.onOutput(stream satisfies OutputStream, text)
    })
  }
  // What user code sends is no report of ours.
  child.on('message', (report: Report | null) => typeof report === 'object' && report && events.onReport(report))
  // Of one that ends, the channel ends first. If the process stays, code of a run has closed it: nothing more could be heard of it.
  let killed = false
  let severed = false
  child.once('disconnect', () => {
    setTimeout(() => {
      if (child.exitCode !== null || child.signalCode !== null) return
      severed = !killed
      killGroup(child)
    }, END_MS)
  })
  // Of a pipe to a process that is gone; its exit says everything.
  leash.on('error', ignore)
  child.once('exit', (code, signal) => {
    killGroup(child)
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
    const late = new Promise<void>((resolve) => setTimeout(resolve, LAST_OUTPUT_MS))
    void Promise.race([closed, late]).then(() => {
      const death = deathOf(code, signal, errors)
      events.onDeath(severed ? { ...death, ...SEVERED } : death)
    })
  })
  return {
    name: `process ${child.pid ?? '?'}`,
    send: (order) => {
      if (child.connected) child.send(order, ignore)
    },
    stack: (ms) => askStack(leash, ms),
    kill: () => {
      killed = true
      killGroup(child)
    },
  }
}

/** What could not be started. */
const STILLBORN: Transport = { name: 'process ?', send: ignore, stack: async () => undefined, kill: ignore }

/** What this process was started with, so that the cell understands the same files; a debugger's port can be had only once. */
function inherited(): string[] {
  return process.execArgv.filter(
    (flag) => !/^--(inspect|debug|max-old-space-size|expose-gc|input-type|eval|print)/.test(flag),
  )
}

function killGroup(child: ChildProcess): void {
  const { pid } = child
  if (pid === undefined) return
  try {
    if (process.platform === 'win32') child.kill('SIGKILL')
    else process.kill(-pid, 'SIGKILL')
  } catch {
    // Nobody is left in it.
  }
}

function askStack(leash: Duplex, ms: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    let heard = ''
    const timer = setTimeout(() => end(undefined), ms)
    const hear = (bytes: Buffer): void => {
      heard += bytes.toString()
      if (heard.endsWith('\0')) end(heard.slice(0, -1))
    }
    const end = (stack: string | undefined): void => {
      clearTimeout(timer)
      leash.off('data', hear)
      resolve(stack === '' ? undefined : stack)
    }
    leash.on('data', hear)
    leash.write('stack\n')
  })
}

function ignore(): void {}
