import { encodeResult } from '../model/json.ts'
import type { Attempt } from './attempt.ts'
import type { ContextPorts } from './context.ts'

/** A result that cannot be stored does not undo the work: the job is completed, and the result says what was wrong with it. */
export function resultText(attempt: Attempt, result: unknown, log: ContextPorts['log']): string | null {
  if (result === undefined) return null
  try {
    return encodeResult(result)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    log('warn', `The result was dropped: ${message}`, undefined, attempt)
    return JSON.stringify({ 'holdfast: the result was dropped': message })
  }
}
