import type { Supervisor } from '../deploy/supervisor/supervisor.ts'
import type { Metric } from '../surfaces/metrics.ts'

/** What `/metrics` tells of one supervisor and its worker processes. */
export function supervisorMetrics(supervisor: Supervisor): Metric[] {
  const children = [...supervisor.children]
  const { starts, deaths } = supervisor.counts
  const settled = new Map<string, number>()
  for (const { beat } of children) {
    for (const [how, count] of Object.entries(beat?.settled ?? {})) settled.set(how, (settled.get(how) ?? 0) + count)
  }
  const total = (pick: (child: (typeof children)[number]) => number) => [
    { value: children.reduce((sum, child) => sum + pick(child), 0) },
  ]
  return [
    {
      name: 'holdfast_worker_processes',
      help: 'Worker processes that are at work.',
      type: 'gauge',
      samples: total(({ started }) => (started === undefined ? 0 : 1)),
    },
    {
      name: 'holdfast_worker_process_starts_total',
      help: 'Worker processes that were started.',
      type: 'counter',
      samples: [{ value: starts }],
    },
    {
      name: 'holdfast_worker_process_deaths_total',
      help: 'Worker processes that ended, by cause.',
      type: 'counter',
      samples: [...deaths].map(([cause, value]) => ({ labels: { cause }, value })),
    },
    {
      name: 'holdfast_runs',
      help: 'Runs in progress.',
      type: 'gauge',
      samples: total(({ beat }) => beat?.running ?? 0),
    },
    {
      name: 'holdfast_slots',
      help: 'Runs that may be in progress at the same time.',
      type: 'gauge',
      samples: total(({ beat }) => beat?.slots ?? 0),
    },
    {
      name: 'holdfast_runs_settled_total',
      help: 'Runs that ended in the worker processes that are at work now, by what was done with their jobs.',
      type: 'counter',
      samples: [...settled].map(([plan, value]) => ({ labels: { plan }, value })),
    },
    {
      name: 'holdfast_job_warnings_total',
      help: 'Jobs that were named because they get nowhere, by kind.',
      type: 'counter',
      samples: [...supervisor.worries].map(([kind, value]) => ({ labels: { kind }, value })),
    },
    {
      name: 'holdfast_unserved_jobs',
      help: 'Ready jobs of the fleet that no live worker takes, for longer than policy.maxUnserved. One worker of the fleet tells.',
      type: 'gauge',
      samples: children
        .flatMap(({ beat }) => beat?.unserved ?? [])
        .map(({ queue, task, version, lack, jobs }) => ({
          labels: { queue, task, version: `${version}`, lack },
          value: jobs,
        })),
    },
    {
      name: 'holdfast_draining',
      help: '1 while a stop or a quiet signal keeps jobs from being claimed.',
      type: 'gauge',
      samples: [{ value: supervisor.stopping || supervisor.quiet ? 1 : 0 }],
    },
  ]
}
