import { formatDuration } from './duration.ts'

/** What a job that gets nowhere looks like from outside. */
export type WorryKind =
  /** Stopped again and again, and its cursor stays where it was. */
  | 'no-progress'
  /** Stopped before, with nothing saved: it begins from the start each time. */
  | 'starts-over'
  /** A long run that no stop can keep anything of. */
  | 'runs-long'

export interface Worry {
  readonly kind: WorryKind
  readonly message: string
}

/** After so many crashes without progress, a job runs alone: then its death tells whether it was the one. */
export const SUSPECT_AFTER = 2

/** Interruptions without progress. A job that goes on from its cursor loses little by each; one that starts over loses all of it. */
const FRUITLESS_RESUMED = 3
const FRUITLESS_FROM_START = 2

/** What is to be said of a job that was interrupted, before it starts again. */
export function worryOfStops({ fruitless, resumes }: { fruitless: number; resumes: boolean }): Worry | undefined {
  if (resumes && fruitless >= FRUITLESS_RESUMED) {
    const cure = 'Save progress more often: smaller items or batches, or a longer `shutdown.grace`.'
    return {
      kind: 'no-progress',
      message: `Job was interrupted ${fruitless} times at the same place: its cursor does not move on. ${cure}`,
    }
  }
  if (!resumes && fruitless >= FRUITLESS_FROM_START) {
    const cure =
      'Make it an iteration, which goes on from its checkpoint, or let it take less time than passes between two deploys.'
    return {
      kind: 'starts-over',
      message: `Job was interrupted ${fruitless} times, and starts from the beginning each time: it may never end. ${cure}`,
    }
  }
  return undefined
}

/** What is to be said of a run that takes long, and of which a stop keeps nothing. */
export function worryOfLength(ms: number, most: number): Worry | undefined {
  if (ms < most) return undefined
  const cure = 'Make it an iteration, which goes on from its checkpoint.'
  return {
    kind: 'runs-long',
    message: `Job has been running for ${formatDuration(ms)}, and any stop throws that away (policy.maxRun is ${formatDuration(most)}). ${cure}`,
  }
}
