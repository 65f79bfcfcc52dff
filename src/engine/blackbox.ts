import { writeSync } from 'node:fs'
import { encodeVerdict, type Verdict } from '../model/verdict.ts'

/**
 * Says to the supervisor why this process goes. One write to a pipe, from whichever thread, past the event loop.
 * A supervisor that is gone, or does not read, changes nothing: then the lease runs out.
 */
export function tellBlackbox(descriptor: number | undefined, verdict: Verdict): void {
  if (descriptor === undefined) return
  const line = encodeVerdict(verdict)
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      writeSync(descriptor, line)
      return
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EAGAIN') return
    }
  }
}
