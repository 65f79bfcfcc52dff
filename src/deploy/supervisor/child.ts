import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { watchDeath } from '../../engine/death-watch.ts'
import { signalChild } from '../../engine/signal-child.ts'
import type { Death } from '../../model/death.ts'
import type { Drained } from '../drain.ts'
import { childMessageOf } from './hear.ts'
import { BLACKBOX, type ChildBeat, type ChildStarted, type SupervisorMessage } from './messages.ts'

export interface ChildOptions {
  /** Arguments of node. */
  readonly command: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly onStarted: (started: ChildStarted) => void
}

const BLACKBOX_FD = 4
const BLACKBOX_MOST = 256 * 1_024
/** After the end of the process: for what is still in its pipes. Whoever inherited them must not hold this up. */
const PIPES_MS = 100

/** One worker process, from its start to its end. Its output goes where the supervisor's goes. */
export class Child {
  /** What it said when it began to work. */
  started: ChildStarted | undefined
  beat: ChildBeat | undefined
  drained: Drained | undefined
  /** It had said what became of all that it held, and nothing is left. */
  clean = false
  /** It was told to stop, by its supervisor or otherwise: how it ends now is no crash. */
  told = false
  /** How it died, and after how many ms of life. */
  readonly ended: Promise<Death & { readonly life: number }>
  readonly #process: ChildProcess | undefined
  #box = ''

  constructor({ command, env, onStarted }: ChildOptions) {
    const born = performance.now()
    const deathOf = watchDeath()
    const { promise, resolve } = Promise.withResolvers<Death & { readonly life: number }>()
    this.ended = promise
    let over = false
    const end = (code: number | null, signal: NodeJS.Signals | null, thrown?: string): void => {
      if (over) return
      over = true
      resolve({ ...deathOf(code, signal), ...(thrown !== undefined && { thrown }), life: performance.now() - born })
    }
    // Of what the machine lacks (memory, processes, files), some is thrown and the rest comes as an event.
    const fail = (error: unknown): void => end(1, null, error instanceof Error ? error.message : String(error))
    try {
      this.#process = spawn(process.execPath, command, {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'],
        env: { ...env, [BLACKBOX]: String(BLACKBOX_FD) },
      })
    } catch (error) {
      fail(error)
      return
    }
    const { pid } = this.#process
    this.#process.on('error', (error) => pid === undefined && fail(error))
    this.#process.once('exit', (code, signal) => setTimeout(() => end(code, signal), PIPES_MS))
    this.#process.once('close', (code, signal) => end(code, signal))
    this.#process.on('message', (message: unknown) => this.#hear(message, onStarted))
    // Without a free file there is none at all.
    const box = this.#process.stdio?.[BLACKBOX_FD] as Readable | undefined
    box?.on('data', (chunk: Buffer) => {
      this.#box = `${this.#box}${chunk.toString()}`.slice(-BLACKBOX_MOST)
    })
    box?.on('error', () => {})
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** The worker's key in the database. */
  get key(): number | undefined {
    return this.beat?.key ?? this.started?.key
  }

  /** The whole lines that it wrote on its way to a sudden end. */
  get lastWords(): readonly string[] {
    return this.#box.split('\n').slice(0, -1)
  }

  tell(message: SupervisorMessage): void {
    if (message.kind === 'stop') this.told = true
    // One that ends in this very moment hears nothing any more.
    if (this.#process?.connected) this.#process.send(message, () => {})
  }

  kill(): void {
    signalChild(this.#process, 'SIGKILL')
  }

  #hear(said: unknown, onStarted: (started: ChildStarted) => void): void {
    const message = childMessageOf(said)
    if (message === undefined) return
    if (message.kind === 'beat') this.beat = message
    else if (message.kind === 'stopping') this.told = true
    else if (message.kind === 'stopped') {
      this.drained = message.drained
      this.clean = message.drained?.left === 0 && message.late !== true
    } else {
      this.started = message
      onStarted(message)
    }
  }
}
