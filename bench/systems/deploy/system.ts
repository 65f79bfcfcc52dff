/** Where the jobs are at the end, by the system's own bookkeeping. */
export interface Census {
  /** Waiting, running or to be tried again. */
  readonly stored: number
  /** Given up by the system. */
  readonly failed: number
}

/** A job system under rolling deploys: forty jobs, and workers that come and go as processes. */
export interface DeploySystem {
  readonly name: string
  /** Why it cannot be measured here; undefined: it can. */
  readonly missing: string | undefined
  readonly version: string
  readonly settings: string
  /** An empty place, with the jobs 0 to `jobs - 1` in it. */
  prepare(jobs: number): Promise<void>
  /** The command line of one worker with four slots. */
  worker(): { readonly command: readonly string[]; readonly env: Readonly<Record<string, string>> }
  census(): Promise<Census>
  close(): Promise<void>
}

export const SLOTS = 4
/** Of a worker, in the name of its system's queue. */
export const QUEUE = 'deploys'
