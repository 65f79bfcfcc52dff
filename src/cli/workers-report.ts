import { formatDuration } from '../model/duration.ts'
import { listWorkers, type WorkerReport } from '../store/reports.ts'
import type { CommonOptions } from './command.ts'
import { ago, count, table } from './format.ts'
import { colors, print, printJson, remark, short } from './output.ts'
import { openSession } from './session.ts'

export async function showWorkers(options: CommonOptions): Promise<void> {
  await using session = await openSession(options)
  const workers = await listWorkers(session.db)
  if (options.json) return printJson({ workers: workers.map(workerJson) })
  if (workers.length === 0) return remark('No worker is running.')
  print(table(HEAD, workers.map(row)))
}

const HEAD = ['worker', 'build', 'state', 'since', 'renewed', 'tasks', 'queues']

function row(worker: WorkerReport): string[] {
  const { name, build, startedAt, renewedMs, now, tasks, queues } = worker
  const state = stateOf(worker)
  return [
    short(name, 60),
    short(build, 40),
    state === 'claiming' ? state : colors.yellow(state),
    ago(startedAt, now),
    `${formatDuration(Math.max(0, Math.round(renewedMs)))} ago`,
    count(tasks.length),
    short(queues.join(', '), 200),
  ]
}

/** `gone`: its lease has run out, or it was revoked; others take its jobs over. */
function stateOf({ live, claiming }: WorkerReport): 'claiming' | 'held' | 'gone' {
  if (!live) return 'gone'
  return claiming ? 'claiming' : 'held'
}

function workerJson(worker: WorkerReport): object {
  const { key, name, build, release, startedAt, renewedMs, leaseMs, tasks, queues } = worker
  return {
    key,
    worker: name,
    host: name.replace(/:\d+$/, ''),
    build,
    release,
    state: stateOf(worker),
    startedAt,
    leaseAgeMs: Math.round(renewedMs),
    leaseLeftMs: Math.round(leaseMs),
    tasks,
    queues,
  }
}
