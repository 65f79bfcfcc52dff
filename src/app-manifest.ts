import type { AppInternals } from './internals.ts'
import { limitedTasks } from './limited-tasks.ts'
import { type Manifest, manifestOf } from './tasks/manifest.ts'

/** What a worker of this app would register. */
export function appManifest(internals: AppInternals): Manifest {
  const config = internals.configure(process.env['HOLDFAST_GRACE'])
  const tasks = limitedTasks(internals, config, () => {})
  return manifestOf([...new Set(tasks.values())], config)
}
