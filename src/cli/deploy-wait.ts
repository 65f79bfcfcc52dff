import { setTimeout as sleep } from 'node:timers/promises'
import { monotonic } from '../engine/monotonic.ts'
import { tryRelease } from '../engine/release-expired.ts'
import { formatDuration, MAX_DURATION_MS } from '../model/duration.ts'
import { isHoldfastError } from '../model/errors.ts'
import type { Database } from '../store/db.ts'
import type { DeployScope } from '../store/deploys.ts'
import { type LivingBuild, livingBuilds } from '../store/gate.ts'
import type { CommonOptions } from './command.ts'
import { buildOf, type ScopeOptions, scopeOf } from './deploy-options.ts'
import { EXIT } from './failure.ts'
import { plural } from './format.ts'
import { durationOf } from './option-values.ts'
import { print, printJson, remark, status } from './output.ts'
import { openSession } from './session.ts'
import { StopRequests } from './stop-request.ts'

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
  using stop = new StopRequests()
  const since = monotonic()
  const looks = new Looks(session.db, scope)
  let said = Number.NEGATIVE_INFINITY
  for (;;) {
    const { builds, down } = await looks.look()
    const waited = Math.round(monotonic() - since)
    const done = !down && builds.length > 0 && builds.every((each) => each.build === build)
    if (done || stop.signal.aborted || waited >= timeout) {
      process.exitCode = done ? EXIT.ok : EXIT.failed
      if (options.json) return printJson({ done, waitedMs: waited, builds })
      if (done) return print(`Only build ${build} lives.`)
      const text = down ? 'The database does not answer.' : describe(builds, build)
      return print(`${stop.signal.aborted ? 'Interrupted after' : 'After'} ${formatDuration(waited)}: ${text}`)
    }
    if (!options.json && !down && (process.stdout.isTTY || waited - said >= SAY_EVERY_MS)) {
      said = waited
      status(describe(builds, build))
    }
    await sleep(Math.min(LOOK_EVERY_MS, timeout - waited), undefined, { signal: stop.signal }).catch(() => {})
  }
}

/** What lives, as far as is known: a database that fails over is no reason to give up a wait. */
class Looks {
  readonly #db: Database
  readonly #scope: DeployScope
  #builds: readonly LivingBuild[] = []
  #down = false

  constructor(db: Database, scope: DeployScope) {
    this.#db = db
    this.#scope = scope
  }

  async look(): Promise<{ builds: readonly LivingBuild[]; down: boolean }> {
    try {
      await tryRelease(this.#db)
      this.#builds = await livingBuilds(this.#db, this.#scope)
      this.#down = false
    } catch (error) {
      if (!isHoldfastError(error, 'HF_DATABASE_DOWN')) throw error
      if (!this.#down) remark(`${error.message} Waiting for it.`)
      this.#down = true
    }
    return { builds: this.#builds, down: this.#down }
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
