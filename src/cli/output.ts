import pc from 'picocolors'
import { maskSecrets } from '../model/mask.ts'
import { printable, printableJson } from '../model/printable.ts'

const { env, stdout, stderr } = process

/** Colours where a person looks, unless NO_COLOR says otherwise; FORCE_COLOR where the terminal hides behind a pipe. */
function wantsColor(stream: { isTTY?: boolean }): boolean {
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false
  if (env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '0') return true
  return stream.isTTY === true && env['TERM'] !== 'dumb'
}

export const colors = pc.createColors(wantsColor(stdout))
export const errorColors = pc.createColors(wantsColor(stderr))

/** Columns that a line may have; undefined: not a terminal, so nothing is cut. */
export function terminalWidth(): number | undefined {
  return stdout.isTTY ? (stdout.columns ?? 80) : undefined
}

/** A line for people. Text of jobs must have gone through `printable`. */
export function print(line = ''): void {
  stdout.write(`${maskSecrets(line)}\n`)
}

/** A remark beside the answer: a pipe must not get it. */
export function remark(line: string): void {
  stderr.write(`${maskSecrets(line)}\n`)
}

/** The JSON document that a command answers with: indented for a person, one line for a program. As `line`, one of a stream of them. */
export function printJson(value: unknown, as?: 'line'): void {
  stdout.write(`${printableJson(value, stdout.isTTY && as === undefined ? 2 : undefined)}\n`)
}

/** A line about now. On a terminal the next one takes its place; without a text it goes away. */
export function status(text?: string): void {
  if (stdout.isTTY) stdout.write(`\r\u001b[2K${text === undefined ? '' : maskSecrets(text)}`)
  else if (text !== undefined) print(text)
}

/** Text of a job, cut to a number of characters. */
export function short(text: string | null | undefined, most: number): string {
  if (text === null || text === undefined) return ''
  const shown = printable(text.slice(0, most * 2))
  return shown.length > most ? `${shown.slice(0, most - 1)}…` : shown
}

/** Ends the process when everything is written, whatever the loaded code still keeps open. */
export async function exit(code: number): Promise<never> {
  await Promise.all([stdout, stderr].map((stream) => new Promise<void>((resolve) => stream.write('', () => resolve()))))
  process.exit(code)
}

let whenReaderLeaves = (): void => {}

/**
 * A reader that leaves (`| head -1`) is no error, and no command is cut short by it: its exit code may be the answer to "may I deploy?". What
 * only lists ends soon anyway, quietly and with 0.
 */
export function surviveClosedPipes(): void {
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') whenReaderLeaves()
    })
  }
}

/** For a command that does nothing but show, until somebody has seen enough. */
export function leaveWithReader(): void {
  whenReaderLeaves = () => process.exit(0)
}
