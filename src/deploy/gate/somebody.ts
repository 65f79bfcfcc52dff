import { HoldfastError } from '../../model/errors.ts'
import { printable } from '../../model/printable.ts'
import type { Database } from '../../store/db.ts'
import type { DeployScope } from '../../store/deploys.ts'
import { heldWorkers } from '../../store/gate.ts'

const MOST_NAMED = 5

/**
 * A scope that was narrowed, and in which nobody lives, is a slip of the pen: the way would be free at once, and the workers that were meant
 * would claim into the migration.
 * @throws {HoldfastError} HF_DEPLOY_NOBODY
 */
export async function refuseNobody(db: Database, scope: DeployScope): Promise<void> {
  const narrowed = [scope.apps, scope.queues, scope.workers].some((names) => names !== undefined)
  if (!narrowed || (await heldWorkers(db, { ...scope, build: undefined })).length > 0) return
  const living = await heldWorkers(db, { build: undefined })
  const named = living.slice(0, MOST_NAMED).map(({ name, app, queues }) => {
    const serves = `queues ${queues.slice(0, MOST_NAMED).join(', ')}${queues.length > MOST_NAMED ? ', …' : ''}`
    return `${name} (${app === '' ? '' : `app ${app}, `}${serves})`
  })
  const more = living.length > MOST_NAMED ? `, and ${living.length - MOST_NAMED} more` : ''
  const who = living.length === 0 ? 'No worker lives at all' : `There are: ${named.join('; ')}${more}`
  throw new HoldfastError('HF_DEPLOY_NOBODY', printable(`No live worker is in this scope. ${who}.`))
}
