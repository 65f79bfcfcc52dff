import type { Writable } from 'node:stream'
import { maskSecrets } from '../model/mask.ts'
import { printable, printableJson } from '../model/printable.ts'

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly [key: string]: unknown
}

/** Structured lines, as every log collector reads them; for a person at a terminal, plain ones. */
export function logTo(
  stream: Writable & { isTTY?: boolean },
  format: 'plain' | 'structured' = stream.isTTY === true ? 'plain' : 'structured',
): (line: LogLine) => void {
  return (line) => stream.write(format === 'plain' ? plain(line) : structured(line))
}

function structured({ level, message, ...data }: LogLine): string {
  return `${printableJson({ time: new Date().toISOString(), level, msg: message, ...data })}\n`
}

function plain({ level, message, ...data }: LogLine): string {
  const rest = Object.entries(data)
    .filter(([, value]) => value !== undefined)
    .map(
      ([key, value]) =>
        `${printable(key)}=${typeof value === 'object' ? printableJson(value) : printable(String(value))}`,
    )
  const line = `${new Date().toISOString().slice(11, 23)} ${level.padEnd(5)} ${[printable(message), ...rest].join('  ')}`
  return `${maskSecrets(line)}\n`
}
