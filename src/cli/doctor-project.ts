import { readFileSync } from 'node:fs'
import path from 'node:path'
import { limitTasks, overdueTasks } from '../tasks/limits.ts'
import type { LoadedApp } from './config.ts'
import { type Check, ok, warning, wrong } from './doctor-check.ts'
import { wrapperWarning } from './wrapper.ts'

/** The files of this project, where there is a config. */
export interface Project {
  readonly folder: string
  readonly loaded: LoadedApp | undefined
}

export const PROJECT_CHECKS: readonly Check<Project>[] = [
  { name: 'grace', look: grace },
  { name: 'limits', look: limits },
  { name: 'start', look: start },
]

function grace({ loaded }: Project) {
  const set = process.env['HOLDFAST_GRACE']
  const configured = loaded?.internals.grace
  if (set !== undefined) {
    loaded?.internals.configure(set)
    if (configured === undefined) return ok(`HOLDFAST_GRACE is ${set}`)
  }
  if (configured !== undefined) return ok(`shutdown.grace is ${configured}`)
  return warning(
    'Nobody says how long the platform waits between its stop signal and SIGKILL, so 30s are assumed.',
    'Set HOLDFAST_GRACE for workers from the same value that configures the platform. Defaults: Kubernetes, ECS, Heroku and Render 30s; Docker and Cloud Run 10s; Fly and Nomad 5s; PM2 1.6s; Railway 0s.',
  )
}

/** Whether a deploy can wait for every task that must finish. One that cannot be waited for is the finding itself. */
function limits({ loaded }: Project) {
  if (loaded === undefined) return ok('There is no config file here, and so no task to look at')
  const { registry, client, configure } = loaded.internals
  const { warnings } = limitTasks(registry.tasks, client.queues, configure(process.env['HOLDFAST_GRACE']), new Date())
  const overdue = overdueTasks(registry.tasks, new Date()).map(({ name, legacy }) => `${name} (${legacy?.until})`)
  const cure = 'Make them iterations, let them restart, or lower their timeLimit; `legacy` is for the time being.'
  if (overdue.length > 0) return wrong(`The time of these legacy tasks is over: ${overdue.join(', ')}.`, cure)
  if (warnings.length > 0) return warning(`${warnings.join('. ')}.`, cure)
  return ok('A deploy can wait for every task that must finish')
}

const WRAPPED = /\b(npm|npx|yarn|pnpm|pnpx|bunx?)\b/

/** What starts a worker on the platform, as far as it lies in the project. */
function start({ folder }: Project) {
  const lines = [
    ...linesOf(folder, 'Dockerfile').filter((line) => /^\s*(CMD|ENTRYPOINT)\b/i.test(line)),
    ...linesOf(folder, 'Procfile').filter((line) => /^\s*\w+\s*:/.test(line) && /holdfast|work/.test(line)),
  ]
  const wrapped = lines.find((line) => WRAPPED.test(line))
  if (wrapped === undefined) return ok('Neither Dockerfile nor Procfile starts anything through npm')
  const wrapper = WRAPPED.exec(wrapped)?.[1] ?? 'npm'
  return warning(
    `\`${wrapped.trim().slice(0, 100)}\`: ${wrapper} does not pass stop signals on to the worker.`,
    wrapperWarning(wrapper),
  )
}

function linesOf(folder: string, name: string): string[] {
  try {
    return readFileSync(path.join(folder, name), 'utf8').split('\n')
  } catch {
    return []
  }
}
