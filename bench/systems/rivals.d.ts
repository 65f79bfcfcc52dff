// The few words of the rivals that are used here, so that the checks pass where they are not installed.
declare module 'graphile-worker' {
  export class Logger {
    constructor(factory: () => () => void)
  }
  export interface Preset {
    readonly worker: Readonly<Record<string, unknown>>
  }
  export function makeWorkerUtils(options: {
    connectionString: string
    logger: Logger
    maxPoolSize?: number
  }): Promise<{
    migrate(): Promise<void>
    addJob(task: string, payload: unknown): Promise<unknown>
    addJobs(specs: readonly { identifier: string; payload: unknown }[]): Promise<unknown>
    release(): Promise<void>
  }>
  export function run(options: {
    preset: Preset
    taskList: Readonly<Record<string, (payload: never) => void>>
    noHandleSignals: boolean
  }): Promise<{ stop(): Promise<void> }>
}

declare module 'bullmq' {
  interface Connected {
    readonly connection: { readonly host: string; readonly port: number }
  }
  export class Queue {
    constructor(name: string, options: Connected)
    addBulk(jobs: readonly { name: string; data: object }[]): Promise<unknown>
    obliterate(options: { force: boolean }): Promise<void>
    getJobCounts(): Promise<Record<string, number>>
    close(): Promise<void>
  }
  export class Worker {
    constructor(
      name: string,
      processor: (job: { readonly data: { n: number } }) => Promise<void>,
      options: Connected & { readonly concurrency: number },
    )
    on(event: 'error', listener: (error: Error) => void): void
    close(): Promise<void>
  }
}

declare module 'pg-boss' {
  export interface Job {
    readonly data: object
  }
  export class PgBoss {
    constructor(options: { connectionString: string; max?: number; useListenNotify?: boolean })
    on(event: 'error', listener: (error: Error) => void): void
    start(): Promise<unknown>
    stop(options: { graceful: boolean; timeout: number }): Promise<void>
    createQueue(name: string, options: object): Promise<void>
    send(name: string, data: object): Promise<string | null>
    insert(name: string, jobs: readonly { data: object }[]): Promise<unknown>
    work(name: string, options: object, handler: (jobs: readonly Job[]) => Promise<void>): Promise<string>
  }
}
