import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { isatty } from 'node:tty'
import { signalChild } from '../engine/signal-child.ts'
import { messageOf } from './failure.ts'
import type { StopRequest } from './stop-request.ts'

const LOOK_EVERY_MS = 50

/**
 * The command that a deploy runs, with everything that it starts. It leads a process group of its own: a stop must reach the migration
 * below a shell, and not only the shell. At a terminal it shares ours, for another group could not read from it.
 */
export class DeployCommand {
  /** How it ended, in words; undefined: well. */
  readonly ended: Promise<string | undefined>
  /** Asked to stop, or ended by a signal: what it has started may go on below. */
  cut = false
  readonly #child: ChildProcess
  readonly #leads: boolean

  constructor(words: readonly string[], env: Readonly<Record<string, string>>, stdout: 'inherit' | NodeJS.WriteStream) {
    const [program = '', ...args] = words
    this.#leads = !isatty(0)
    this.#child = spawn(program, args, {
      stdio: ['inherit', stdout, 'inherit'],
      detached: this.#leads,
      env: { ...process.env, ...env },
    })
    this.ended = new Promise((resolve) => {
      this.#child.on('error', (error) => resolve(`could not be started: ${messageOf(error)}`))
      this.#child.on('exit', (code, signal) => {
        if (signal !== null) this.cut = true
        if (code === 0) resolve(undefined)
        else resolve(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`)
      })
    })
  }

  /** Its process group, where it has its own. */
  get group(): number | undefined {
    return this.#leads ? this.#child.pid : undefined
  }

  /** Passes on what this process was told. A terminal tells all of its processes itself. */
  pass(signal: StopRequest): void {
    this.cut = true
    if (this.#leads || signal === 'SIGTERM') this.#kill(signal)
  }

  stop(): void {
    this.cut = true
    this.#kill('SIGTERM')
  }

  /** Whether all that it has started is gone, after at most so many ms. At a terminal that cannot be known. */
  async gone(ms: number): Promise<boolean> {
    const { group } = this
    if (group === undefined) return true
    for (const until = performance.now() + ms; isAlive(group); await sleep(LOOK_EVERY_MS)) {
      if (performance.now() > until) return false
    }
    return true
  }

  #kill(signal: NodeJS.Signals): void {
    const { group } = this
    if (group === undefined) {
      signalChild(this.#child, signal)
      return
    }
    try {
      process.kill(-group, signal)
    } catch {
      // All of it has ended.
    }
  }
}

function isAlive(group: number): boolean {
  try {
    process.kill(-group, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return process.platform !== 'linux' || hasMember(group)
}

/** A dead process that nobody has asked for still has its group: in a container whose first process is this one, for ever. */
function hasMember(group: number): boolean {
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return Number(pgrp) === group && state !== 'Z'
    } catch {
      return false
    }
  })
}
