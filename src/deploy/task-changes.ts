import { formatDuration } from '../model/duration.ts'
import type { TaskManifest } from '../tasks/manifest.ts'

/** One thing that two builds say differently of a task. */
export interface Change {
  readonly what:
    | 'name'
    | 'kind'
    | 'queue'
    | 'version'
    | 'versions'
    | 'aliases'
    | 'input'
    | 'interrupt'
    | 'delivery'
    | 'limit'
    | 'stall'
    | 'legacy'
  /** For people. */
  readonly from: string
  readonly to: string
  /** Nobody can tell whether it changed. */
  readonly unknown?: true
  /** The input is another one, and its version the same: old inputs meet the new schema. */
  readonly unversioned?: true
}

/** @param samePolicy whether both bend the limits of tasks that state none of their own alike. */
export function changesOf(live: TaskManifest, fresh: TaskManifest, samePolicy: boolean): readonly Change[] {
  return [
    plain('name', live.name, fresh.name),
    plain('kind', live.kind, fresh.kind),
    plain('queue', live.queue, fresh.queue),
    plain('version', live.version, fresh.version),
    plain('versions', live.versions.join(', '), fresh.versions.join(', ')),
    plain('aliases', live.aliases.join(', ') || 'none', fresh.aliases.join(', ') || 'none'),
    input(live, fresh),
    plain('interrupt', live.interrupt, fresh.interrupt),
    plain('delivery', live.delivery, fresh.delivery),
    ...limits(live, fresh, samePolicy),
    plain('legacy', live.legacy?.until ?? 'no', fresh.legacy?.until ?? 'no'),
  ].filter((change) => change !== undefined)
}

function plain(what: Change['what'], from: string | number, to: string | number): Change | undefined {
  return from === to ? undefined : { what, from: String(from), to: String(to) }
}

function input(live: TaskManifest, fresh: TaskManifest): Change | undefined {
  const [from, to] = [live.input, fresh.input]
  if (from === null && to === null) return undefined
  const unversioned = live.version === fresh.version ? { unversioned: true as const } : {}
  if (from === null) return { what: 'input', from: 'none', to: 'a schema', ...unversioned }
  if (to === null) return { what: 'input', from: 'a schema', to: 'none', ...unversioned }
  if (from.hash === null || to.hash === null) {
    return { what: 'input', from: `a schema of ${from.vendor}`, to: `a schema of ${to.vendor}`, unknown: true }
  }
  return from.hash === to.hash ? undefined : { what: 'input', from: 'a schema', to: 'another', ...unversioned }
}

function limits(live: TaskManifest, fresh: TaskManifest, samePolicy: boolean): (Change | undefined)[] {
  const stall = plain('stall', duration(live.limits.stallAfter), duration(fresh.limits.stallAfter))
  // What neither states depends on the grace of the machine that it was read on.
  if (!live.limits.own && !fresh.limits.own && !samePolicy) return [stall]
  return [plain('limit', limit(live), limit(fresh)), stall]
}

function limit({ limits: { soft, hard } }: TaskManifest): string {
  return soft === null ? 'none' : `${duration(soft)} (hard ${duration(hard)})`
}

function duration(ms: number | null): string {
  return ms === null ? 'none' : formatDuration(ms)
}
