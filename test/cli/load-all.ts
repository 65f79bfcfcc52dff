/** Loads each config that is named, as the CLI does, and prints what came of it: one process for all of them. */
import { loadApp } from '../../src/cli/config.ts'
import { isOurs } from '../../src/cli/failure.ts'

for (const file of process.argv.slice(2)) {
  const result = await loadApp(file).then(
    ({ internals }) => ({ tasks: internals.registry.names, queues: [...internals.client.queues.keys()] }),
    (error: unknown) => ({ code: isOurs(error) ? error.code : 'none', message: String((error as Error).message) }),
  )
  process.stdout.write(`${JSON.stringify(result)}\n`)
}
process.exit(0)
