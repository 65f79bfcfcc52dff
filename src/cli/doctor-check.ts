import { isOurs, messageOf } from './failure.ts'

/** What one look found. */
export interface Finding {
  /** 'error': jobs cannot run, or will be hurt. 'warning': worth a look. 'skipped': it could not be looked at. */
  readonly status: 'ok' | 'warning' | 'error' | 'skipped'
  readonly message: string
  /** What to do about it. */
  readonly cure?: string | undefined
}

export interface Check<T> {
  readonly name: string
  readonly look: (subject: T) => Promise<Finding> | Finding
}

export interface Checked extends Finding {
  readonly check: string
}

/** A check that itself fails is a finding too. */
export async function runChecks<T>(checks: readonly Check<T>[], subject: T): Promise<Checked[]> {
  const found: Checked[] = []
  for (const { name, look } of checks) {
    try {
      found.push({ check: name, ...(await look(subject)) })
    } catch (error) {
      found.push({ check: name, ...failed(error) })
    }
  }
  return found
}

export function failed(error: unknown): Finding {
  return { status: 'error', message: messageOf(error), ...(isOurs(error) && { cure: error.cure }) }
}

export function ok(message: string): Finding {
  return { status: 'ok', message }
}

export function warning(message: string, cure: string): Finding {
  return { status: 'warning', message, cure }
}

export function wrong(message: string, cure: string): Finding {
  return { status: 'error', message, cure }
}
