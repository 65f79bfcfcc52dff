import { ERRORS, type ErrorCode, type HoldfastError } from '../model/errors.ts'
import { maskSecrets } from '../model/mask.ts'
import { printable, printableJson } from '../model/printable.ts'
import { errorColors } from './output.ts'

/** What a command's process ends with; part of the documented interface. */
export const EXIT = {
  ok: 0,
  /** What was asked for failed, was refused or was not found. */
  failed: 1,
  /** The command line cannot be understood; nothing was done. */
  usage: 2,
} as const

/** A command line that cannot work. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Says on stderr what went wrong and what to do, and gives the exit code. */
export function reportFailure(error: unknown, json: boolean): number {
  const report = reportOf(error)
  const text = json ? printableJson({ error: report }) : maskSecrets(forPeople(report, error))
  process.stderr.write(`${text}\n`)
  return error instanceof UsageError ? EXIT.usage : EXIT.failed
}

interface FailureReport {
  readonly code: string
  readonly message: string
  readonly cure?: string
}

function reportOf(error: unknown): FailureReport {
  if (error instanceof UsageError) return { code: 'USAGE', message: error.message }
  if (!isOurs(error)) return { code: 'UNEXPECTED', message: messageOf(error) }
  const cure = error.cure ?? ERRORS[error.code]?.cure
  return {
    code: error.code,
    message: error.message.replace(` [${error.code}]`, ''),
    ...(cure !== undefined && { cure }),
  }
}

function forPeople({ code, message, cure }: FailureReport, error: unknown): string {
  const { red, dim } = errorColors
  // A list is one of ours: whatever else is quoted in a message was made printable there.
  const lines = cure === undefined ? [message] : message.trimEnd().split('\n')
  const head = `${red('error')} ${lines.map(printable).join('\n')}`
  if (error instanceof UsageError) return head
  if (cure !== undefined) return `${head} ${dim(`[${code}]`)}\n  ${printable(cure)}`
  const stack = error instanceof Error ? framesOf(error) : ''
  return `${head}${stack}\n\nThis was not foreseen: please report it, with the lines above and \`holdfast --version\`.`
}

/** The frames without the message, which may be long and hold anything. Of the causes, the messages. */
function framesOf(error: Error): string {
  const frames = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '))
  const causes: string[] = []
  for (let cause = error.cause; cause !== undefined && causes.length < 5; cause = (cause as Error).cause) {
    causes.push(`  caused by ${messageOf(cause)}`)
    if (!(cause instanceof Error)) break
  }
  return [...frames, ...causes].map((line) => `\n${printable(line)}`).join('')
}

/** By its shape: the config may have loaded another copy of this package. */
export function isOurs(error: unknown): error is HoldfastError {
  if (!(error instanceof Error) || error.name !== 'HoldfastError') return false
  return ((error as { code?: unknown }).code as ErrorCode) in ERRORS
}

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message === '' ? error.name : error.message
}
