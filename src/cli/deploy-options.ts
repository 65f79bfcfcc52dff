import { MAX_DURATION_MS } from '../model/duration.ts'
import { checkName } from '../model/name.ts'
import type { DeployScope } from '../store/deploys.ts'
import type { CommonOptions } from './command.ts'
import { likePattern } from './name-pattern.ts'
import { asUsage, durationOf, MAX_HOLD_MS, namesOf, reasonOf, requirementOf } from './option-values.ts'

export interface ScopeOptions {
  readonly app?: string | undefined
  readonly queues?: string | undefined
  readonly workers?: string | undefined
}

export interface GateOptions extends CommonOptions, ScopeOptions {
  readonly require: string
  readonly timeout: string
  readonly hold: string
  readonly build?: string | undefined
  readonly reason: string
  readonly allowNone?: true | undefined
}

/** What the options of a gate say, checked. */
export function gateOf(options: GateOptions) {
  return {
    scope: scopeOf(options),
    require: requirementOf(options.require),
    timeout: durationOf(options.timeout, 0, MAX_DURATION_MS, '--timeout'),
    hold: durationOf(options.hold, 1_000, MAX_HOLD_MS, '--hold'),
    build: options.build === undefined ? undefined : buildOf(options.build),
    reason: reasonOf(options.reason),
    allowNone: options.allowNone,
  }
}

export function scopeOf({ app, queues, workers }: ScopeOptions): DeployScope {
  return {
    apps: namesOf(app, '--app'),
    queues: namesOf(queues, '--queues')?.map((queue) => asUsage(() => checkName('queue', queue))),
    workers: namesOf(workers, '--workers')?.map(likePattern),
  }
}

export function buildOf(id: string): string {
  return asUsage(() => checkName('build', id))
}
