import { taskKey } from '../model/task-key.ts'
import type { Manifest, TaskManifest } from '../tasks/manifest.ts'
import { type Change, changesOf } from './task-changes.ts'

/** Live workers that say the same of their code and serve the same queues. */
export interface LiveGroup {
  readonly build: string
  readonly queues: readonly string[]
  readonly workers: readonly string[]
  /** undefined: of a release that says it otherwise. */
  readonly manifest: Manifest | undefined
}

export interface TaskDifference {
  readonly task: string
  /** `added`: this code has it, the live code has not. */
  readonly kind: 'added' | 'removed' | 'changed' | 'unknown'
  readonly changes: readonly Change[]
}

/**
 * `current`: it runs this very build. `same`: another build that says the same of itself, so that no job and no client sees a difference
 * until it is restarted. `restart`: it differs in what its queues are about. `unknown`: nobody can tell.
 */
export type Verdict = 'current' | 'same' | 'restart' | 'unknown'

export interface GroupPlan extends Omit<LiveGroup, 'manifest'> {
  readonly verdict: Verdict
  /** Of tasks in its queues. */
  readonly differences: readonly TaskDifference[]
  /** Tasks that differ, in queues that it does not serve: no reason to restart it. */
  readonly elsewhere: readonly string[]
}

export interface DeployPlan {
  readonly groups: readonly GroupPlan[]
  /** What live workers take and this code does not, as `name` or `name@2`: once they are gone, such jobs wait. */
  readonly loses: readonly string[]
  /** What this code takes and no live worker does: jobs of clients that run this code wait until its workers do. */
  readonly gains: readonly string[]
}

/** No id of a build, only the lack of one. */
const UNKNOWN_BUILD = 'unknown'

/** Which live workers run other code than this, as far as what they say of it goes: nobody needs to know which to restart. */
export function planDeploy(
  own: { readonly build: string; readonly manifest: Manifest },
  live: readonly LiveGroup[],
): DeployPlan {
  const mine = keysOf(own.manifest)
  const theirs = new Set(
    live.flatMap(({ manifest, queues }) => (manifest === undefined ? [] : [...keysOf(manifest, queues)])),
  )
  return {
    groups: live.map((group) => planGroup(own, group)),
    loses: [...theirs].filter((key) => !mine.has(key)).sort(),
    gains: live.length === 0 ? [] : [...mine].filter((key) => !theirs.has(key)).sort(),
  }
}

function planGroup(own: { build: string; manifest: Manifest }, { manifest, ...group }: LiveGroup): GroupPlan {
  const nothing = { differences: [], elsewhere: [] }
  // Whatever the difference is, it is one of settings: of the grace, say.
  const current = group.build === own.build && own.build !== UNKNOWN_BUILD
  if (manifest === undefined) return { ...group, ...nothing, verdict: current ? 'current' : 'unknown' }
  const serves = ({ queue }: TaskManifest) => group.queues.includes(queue)
  const before = new Map(manifest.tasks.map((task) => [namedNow(task, own.manifest), task]))
  const after = new Map(own.manifest.tasks.map((task) => [task.name, task]))
  const differences: TaskDifference[] = []
  const elsewhere: string[] = []
  for (const name of [...new Set([...before.keys(), ...after.keys()])].sort()) {
    const [live, fresh] = [before.get(name), after.get(name)]
    const difference = differenceOf(name, live, fresh, manifest, own.manifest)
    if (difference === undefined) continue
    if ((live && serves(live)) || (fresh && serves(fresh))) differences.push(difference)
    else elsewhere.push(name)
  }
  return { ...group, differences, elsewhere, verdict: current ? 'current' : verdictOn(differences) }
}

/** A task that was renamed, by either build, is still the same one. */
function namedNow({ name, aliases }: TaskManifest, { tasks }: Manifest): string {
  if (tasks.some((task) => task.name === name)) return name
  return (
    (tasks.find((task) => task.aliases.includes(name)) ?? tasks.find((task) => aliases.includes(task.name)))?.name ??
    name
  )
}

function differenceOf(
  task: string,
  live: TaskManifest | undefined,
  fresh: TaskManifest | undefined,
  before: Manifest,
  after: Manifest,
): TaskDifference | undefined {
  if (live === undefined) return { task, kind: 'added', changes: [] }
  if (fresh === undefined) return { task, kind: 'removed', changes: [] }
  const changes = changesOf(live, fresh, before.policy.maxFinish === after.policy.maxFinish)
  if (changes.length === 0) return undefined
  return { task, kind: changes.every(({ unknown }) => unknown) ? 'unknown' : 'changed', changes }
}

function verdictOn(differences: readonly TaskDifference[]): Verdict {
  if (differences.some(({ kind }) => kind !== 'unknown')) return 'restart'
  return differences.length > 0 ? 'unknown' : 'same'
}

/** Every name and version under which jobs are taken, in these queues or in all. */
function keysOf({ tasks }: Manifest, queues?: readonly string[]): ReadonlySet<string> {
  const served = queues === undefined ? tasks : tasks.filter(({ queue }) => queues.includes(queue))
  return new Set(
    served.flatMap(({ name, aliases, versions }) =>
      [name, ...aliases].flatMap((each) => versions.map((version) => taskKey(each, version))),
    ),
  )
}
