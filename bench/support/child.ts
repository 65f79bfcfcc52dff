import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { now } from './clock.ts'

/** What programs say: `said` names it. */
export interface Message {
  readonly said: string
  readonly [key: string]: unknown
}

/** A program of `bench/programs` in a process of its own. */
export interface Child extends AsyncDisposable {
  readonly pid: number
  send(message: Message): void
  on(listener: (message: Message) => void): void
  /** The next (or an earlier, not yet awaited) message of that name. Rejects when the process ends first. */
  heard<T extends Message>(said: string, deadline?: number): Promise<T>
  /** Sends and waits for the answer of the same name. */
  ask<T extends Message>(message: Message, deadline?: number): Promise<T>
  /** @returns when it was sent, on the shared clock. */
  signal(signal: NodeJS.Signals): number
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

const DEADLINE_MS = 120_000
const children = new Set<ChildProcess>()
process.once('exit', killChildren)

/** What a failed case left behind. */
export function killChildren(): void {
  for (const child of children) child.kill('SIGKILL')
}

export function startChild(program: string, config: object, execArgv: readonly string[] = []): Child {
  const file = fileURLToPath(new URL(`../programs/${program}.ts`, import.meta.url))
  const process_ = fork(file, [JSON.stringify(config)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: ['--no-warnings', ...execArgv],
    env: { ...process.env, NO_LOG_SUCCESS: '1', NODE_ENV: 'production' },
  })
  children.add(process_)
  const inbox: Message[] = []
  const listeners = new Set<(message: Message) => void>()
  process_.on('message', (message: Message) => {
    inbox.push(message)
    for (const listener of listeners) listener(message)
  })
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    process_.once('exit', (code, signal) => {
      children.delete(process_)
      resolve({ code, signal })
    })
  })

  const heard = async <T extends Message>(said: string, deadline = DEADLINE_MS): Promise<T> => {
    const until = now() + deadline
    for (;;) {
      const at = inbox.findIndex((message) => message.said === said)
      if (at >= 0) return inbox.splice(at, 1)[0] as T
      const left = until - now()
      if (left <= 0) throw new Error(`${program} did not say "${said}" within ${deadline} ms`)
      const abort = new AbortController()
      const timer = setTimeout(() => abort.abort(), left)
      const end = await Promise.race([
        once(process_, 'message', { signal: abort.signal }).catch(() => undefined),
        exited.then(({ code, signal }) => ({ code, signal })),
      ])
      clearTimeout(timer)
      abort.abort()
      if (end !== undefined && 'code' in end) {
        throw new Error(`${program} ended (${end.signal ?? end.code}) before it said "${said}"`)
      }
    }
  }

  return {
    pid: process_.pid ?? -1,
    exited,
    heard,
    on: (listener) => void listeners.add(listener),
    send: (message) => void process_.send(message),
    ask: (message, deadline) => {
      const answer = heard(message.said, deadline)
      process_.send(message)
      return answer as Promise<never>
    },
    signal(signal) {
      const at = now()
      process_.kill(signal)
      return at
    },
    [Symbol.asyncDispose]: async () => {
      process_.kill('SIGKILL')
      await exited
    },
  }
}
