import { writeSync } from 'node:fs'
import { encodeVerdict, type Verdict } from '../model/verdict.ts'

/**
 * Says to the supervisor why this process goes. One write to a pipe, from whichever thread, past the event loop.
 * False: there is no supervisor, or it is gone, or it does not read.
 */
export function tellBlackbox(descriptor: number | undefined, verdict: Verdict): boolean {
  if (descriptor === undefined) return false
  const line = encodeVerdict(verdict)
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      writeSync(descriptor, line)
      return true
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EAGAIN') return false
    }
  }
  return false
}
