import { spawn } from 'node:child_process'
import { HoldfastError } from '../../model/errors.ts'
import { printable } from '../../model/printable.ts'

export interface CeleryCommand {
  /** The command line up to `inspect`: `['celery', '-A', 'proj']`. */
  readonly line: readonly string[]
  /** How long a worker may take to answer, ms. */
  readonly replyMs: number
  /** On top of it: the start of Python, and of the user's app. */
  readonly startMs?: number
  readonly cwd?: string
}

/** What `celery` exits with when not one worker replied. */
const NOBODY = 69
const START_MS = 20_000
const MOST_OUTPUT = 32 * 1024 * 1024

/**
 * One question to the workers through the user's own `celery`, so that any broker, TLS and settings are theirs.
 * @returns undefined when nobody replied
 * @throws {HoldfastError} HF_FLEET_COMMAND, HF_FLEET_REPLY
 */
export async function askCelery(
  command: CeleryCommand,
  kind: 'inspect' | 'control',
  words: readonly string[],
  to?: readonly string[],
): Promise<unknown> {
  const destination = to === undefined ? [] : ['--destination', to.join(',')]
  const args = [kind, '--json', '--timeout', String(command.replyMs / 1_000), ...destination, ...words]
  const { code, stdout, stderr } = await runCelery(command, args)
  if (code === NOBODY || /No nodes replied/.test(stderr)) return undefined
  if (code !== 0) throw failed(command, args, `exited with ${code}: ${lastLines(stderr || stdout)}`)
  return parseReply(stdout, command, args)
}

interface Ended {
  readonly code: number | string
  readonly stdout: string
  readonly stderr: string
}

function runCelery(command: CeleryCommand, args: readonly string[]): Promise<Ended> {
  const [program = 'celery', ...first] = command.line
  const mostMs = command.replyMs + (command.startMs ?? START_MS)
  return new Promise((resolve, reject) => {
    // In a group of its own: a Ctrl-C at the terminal is ours to answer, and a resume must outlive it.
    const child = spawn(program, [...first, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      ...(command.cwd !== undefined && { cwd: command.cwd }),
    })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length < MOST_OUTPUT) stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-8_000)
    })
    const timer = setTimeout(() => {
      killGroup(child.pid)
      // A grandchild may hold the pipes open for ever.
      child.stdout.destroy()
      child.stderr.destroy()
      reject(failed(command, args, `did not end within ${mostMs / 1_000} s. ${lastLines(stderr)}`))
    }, mostMs)
    child.once('error', (error) => {
      clearTimeout(timer)
      reject(failed(command, args, error.message, error))
    })
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ code: code ?? signal ?? 'unknown', stdout, stderr })
    })
  })
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

/** An app may print while it is imported: the answer is the last line that begins like JSON. */
function parseReply(stdout: string, command: CeleryCommand, args: readonly string[]): unknown {
  const line = stdout.split('\n').findLast((each) => /^\s*[[{]/.test(each))
  try {
    return JSON.parse(line ?? '')
  } catch (cause) {
    throw malformed(command, args, `no JSON: ${show(stdout)}`, cause)
  }
}

export function malformed(
  command: CeleryCommand,
  args: readonly string[],
  what: string,
  cause?: unknown,
): HoldfastError {
  const text = `\`${[...command.line, ...args].join(' ')}\` answered something else than is understood here, ${what}`
  return new HoldfastError('HF_FLEET_REPLY', text, { cause })
}

function failed(command: CeleryCommand, args: readonly string[], why: string, cause?: unknown): HoldfastError {
  return new HoldfastError('HF_FLEET_COMMAND', `\`${printable([...command.line, ...args].join(' '))}\` ${why}`, {
    cause,
  })
}

function lastLines(text: string): string {
  return printable(text.trim().split('\n').slice(-3).join(' | ').slice(-600))
}

function show(text: string): string {
  const shown = printable(text.trim().slice(0, 200))
  return shown === '' ? 'nothing at all' : shown
}
