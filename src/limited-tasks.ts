import type { AppInternals } from './internals.ts'
import type { ResolvedConfig } from './model/config.ts'
import type { TaskDefinition } from './tasks/definition.ts'
import { limitTasks } from './tasks/limits.ts'
import { versionWarnings } from './tasks/versions.ts'

/** By every name that a job may carry, with the limits under which it runs here. */
export function limitedTasks(
  internals: AppInternals,
  config: ResolvedConfig,
  warn: (text: string) => void,
): ReadonlyMap<string, TaskDefinition> {
  const { tasks, warnings } = limitTasks(internals.registry.tasks, internals.client.queues, config, new Date())
  for (const warning of [...warnings, ...versionWarnings(tasks)]) warn(warning)
  return new Map(tasks.flatMap((task) => [task.name, ...task.aliases].map((name) => [name, task] as const)))
}
