import { type Duration, MAX_DURATION_MS } from '../model/duration.ts'
import { checkName } from '../model/name.ts'
import { checkChoice, checkDuration } from '../model/options.ts'
import { sanitizeText } from '../model/text.ts'
import type { DeployRequirement, DeployScope } from '../store/deploys.ts'
import type { CommonOptions } from './command.ts'
import { UsageError } from './failure.ts'

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
}

const MAX_REASON_BYTES = 500
const MAX_HOLD_MS = 7 * 24 * 60 * 60_000

/** What the options of a gate say, checked. */
export function gateOf(options: GateOptions) {
  return {
    scope: scopeOf(options),
    require: checkChoice(options.require, ['interruptible', 'idle'] as const, '--require') satisfies DeployRequirement,
    timeout: checkDuration(options.timeout as Duration, 0, MAX_DURATION_MS, '--timeout'),
    hold: checkDuration(options.hold as Duration, 1_000, MAX_HOLD_MS, '--hold'),
    build: options.build === undefined ? undefined : checkName('build', options.build),
    reason: sanitizeText(options.reason, MAX_REASON_BYTES),
  }
}

export function scopeOf({ app, queues, workers }: ScopeOptions): DeployScope {
  return {
    apps: listOf(app, '--app'),
    queues: listOf(queues, '--queues')?.map((queue) => checkName('queue', queue)),
    workers: listOf(workers, '--workers')?.map(likePattern),
  }
}

function listOf(names: string | undefined, option: string): readonly string[] | undefined {
  if (names === undefined) return undefined
  const list = names.split(',').map((name) => name.trim())
  if (list.some((name) => name === ''))
    throw new UsageError(`${option} takes names with commas between them, not '${names}'.`)
  return list
}

/** `*` stands for anything. */
function likePattern(pattern: string): string {
  return pattern.replaceAll(/[\\%_]/g, '\\$&').replaceAll('*', '%')
}
