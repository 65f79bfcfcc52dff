import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type Stage, useStages } from '../support/stage.ts'
import {
  type CliOptions,
  cli,
  cliJson,
  config,
  type Loose,
  project,
  type Running,
  type Said,
  start,
} from './support.ts'

const TASKS = {
  // Runs until the test lets it end: what must finish keeps its process.
  report: `jobs.task({ name: 'report', queue: 'bulk', timeLimit: '25s', async run() {
    for (let n = 0; n < 1_200 && !existsSync('end'); n++) await sleep(20)
  } })`,
  quick: `jobs.task({ name: 'quick', queue: 'bulk', run() {} })`,
}
const CONFIG = `import { existsSync } from 'node:fs'\n${config(Object.values(TASKS).join(', '))}`

/** Whoever deploys: a worker of build `old`, and a shell in the folder of its app. */
export interface Deployer extends AsyncDisposable {
  readonly stage: Stage
  readonly folder: string
  readonly worker: Running
  run(...args: string[]): Promise<Said>
  json(...args: string[]): Promise<Loose>
  /** What starts it comes before the command. */
  launched(launcher: readonly string[], ...args: string[]): Promise<Said>
  start(...args: string[]): Running
  /** With more in its environment. */
  startWith(env: Readonly<Record<string, string>>, ...args: string[]): Running
  /** Resolves with the id of a job that runs, may not be cut, and ends with the test. */
  occupy(): Promise<string>
  /** The newest deploy. */
  deploy(): Promise<Loose>
}

export function useDeployers(): (env?: Readonly<Record<string, string>>) => Promise<Deployer> {
  const open = useStages()
  return async (env = {}) => {
    const stage = await open()
    const app = await project({ 'holdfast.config.ts': CONFIG })
    const { folder } = app
    const place = { DATABASE_URL: stage.database, TEST_SCHEMA: stage.schema, HOLDFAST_GRACE: '30s' }
    const worker = start(['work', '--build', 'old'], { cwd: folder, env: place })
    await worker.line('Worker started')
    const options: CliOptions = { cwd: folder, env: { ...place, ...env } }
    return {
      stage,
      folder,
      worker,
      run: (...args) => cli(args, options),
      json: (...args) => cliJson(args, options),
      launched: (launcher, ...args) => cli(args, { ...options, launcher }),
      start: (...args) => start(args, options),
      startWith: (more, ...args) => start(args, { ...options, env: { ...options.env, ...more } }),
      occupy: async () => {
        const { id } = await cliJson(['enqueue', 'report'], options)
        await stage.reached(id, 'running')
        return id
      },
      deploy: async () => (await cliJson(['deploy', 'history', '--limit', '1'], options)).deploys[0],
      async [Symbol.asyncDispose]() {
        await writeFile(path.join(folder, 'end'), '')
        await worker[Symbol.asyncDispose]()
        await app[Symbol.asyncDispose]()
        await stage[Symbol.asyncDispose]()
      },
    }
  }
}
