import { setTimeout as sleep } from 'node:timers/promises'
import { monotonic } from '../engine/monotonic.ts'
import { tryRelease } from '../engine/release-expired.ts'
import { formatDuration, MAX_DURATION_MS } from '../model/duration.ts'
import { type LivingBuild, livingBuilds } from '../store/gate.ts'
import type { CommonOptions } from './command.ts'
import { buildOf, type ScopeOptions, scopeOf } from './deploy-options.ts'
import { EXIT } from './failure.ts'
import { plural } from './format.ts'
import { durationOf } from './option-values.ts'
import { print, printJson, status } from './output.ts'
import { openSession } from './session.ts'

const LOOK_EVERY_MS = 500
const SAY_EVERY_MS = 10_000

interface WaitOptions extends CommonOptions, ScopeOptions {
  readonly build: string
  readonly timeout: string
}

/** Until only this build lives: only then may what the old code needs go away. */
export async function waitForBuild(options: WaitOptions): Promise<void> {
  const build = buildOf(options.build)
  const timeout = durationOf(options.timeout, 0, MAX_DURATION_MS, '--timeout')
  const scope = scopeOf(options)
  await using session = await openSession(options)
  const since = monotonic()
  let said = Number.NEGATIVE_INFINITY
  for (;;) {
    await tryRelease(session.db)
    const builds = await livingBuilds(session.db, scope)
    const waited = Math.round(monotonic() - since)
    const old = builds.filter((each) => each.build !== build)
    const done = old.length === 0 && builds.length > 0
    if (done || waited >= timeout) {
      process.exitCode = done ? EXIT.ok : EXIT.failed
      if (options.json) return printJson({ done, waitedMs: waited, builds })
      return print(done ? `Only build ${build} lives.` : `After ${formatDuration(waited)}: ${describe(builds, build)}`)
    }
    if (!options.json && (process.stdout.isTTY || waited - said >= SAY_EVERY_MS)) {
      said = waited
      status(describe(builds, build))
    }
    await sleep(Math.min(LOOK_EVERY_MS, timeout - waited))
  }
}

function describe(builds: readonly LivingBuild[], wanted: string): string {
  const old = builds.filter(({ build }) => build !== wanted)
  if (builds.length === 0) return 'No worker is alive.'
  if (!builds.some(({ build }) => build === wanted)) return `No worker of build ${wanted} is alive yet.`
  const texts = old.map(
    ({ build, workers, running, oldest }) =>
      `build ${build}: ${plural(workers, 'worker')} (${oldest}), ${plural(running, 'job')} running`,
  )
  return `Still alive: ${texts.join('; ')}`
}
