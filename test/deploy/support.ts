import { type PrepareOptions, prepare } from '../../src/deploy/gate/prepare.ts'
import { GATE } from '../../src/engine/wake.ts'
import { endDeploy } from '../../src/store/deploys.ts'
import { wake } from '../../src/store/enqueue.ts'
import type { Stage } from '../support/stage.ts'

/** A preparation of everything, as the command makes it. */
export function options(stage: Stage, given: Partial<PrepareOptions> = {}): PrepareOptions {
  return {
    db: stage.db,
    listenUrl: stage.database,
    owner: 'test',
    reason: 'a test',
    build: undefined,
    scope: {},
    require: 'interruptible',
    timeout: 30_000,
    hold: 60_000,
    signal: new AbortController().signal,
    ...given,
  }
}

export function prepared(stage: Stage, given: Partial<PrepareOptions> = {}) {
  return prepare(options(stage, given))
}

/** Ends a deploy as the commands do. */
export async function end(stage: Stage, number: number, state: 'finished' | 'aborted' = 'finished'): Promise<void> {
  await endDeploy(stage.db, number, { state, from: ['held', 'migrating'] })
  await wake(stage.db, GATE)
}
