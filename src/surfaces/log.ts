import type { Writable } from 'node:stream'

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly [key: string]: unknown
}

/** Structured lines, as every log collector reads them; for a person at a terminal, plain ones. */
export function logTo(stream: Writable & { isTTY?: boolean }): (line: LogLine) => void {
  return (line) => stream.write(stream.isTTY === true ? plain(line) : structured(line))
}

function structured({ level, message, ...data }: LogLine): string {
  return `${JSON.stringify({ time: new Date().toISOString(), level, msg: message, ...data })}\n`
}

function plain({ level, message, ...data }: LogLine): string {
  const rest = Object.entries(data).map(
    ([key, value]) => `${key}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
  )
  return `${new Date().toISOString().slice(11, 23)} ${level.padEnd(5)} ${[message, ...rest].join('  ')}\n`
}
