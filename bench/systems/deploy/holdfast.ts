import { fileURLToPath } from 'node:url'
import { holdfast as client } from '../../../src/index.ts'
import { RELEASE } from '../../../src/release.ts'
import { STATE_CODES } from '../../../src/store/codes.ts'
import { number, type Server, withClient } from '../../support/server.ts'
import { holdfast as plain } from '../holdfast.ts'
import type { DeploySystem } from './system.ts'

const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))
const APP = fileURLToPath(new URL('../../programs/deploy-app.ts', import.meta.url))
const DATABASE = 'deploy_holdfast'
const COMPLETED = STATE_CODES.completed

export function holdfast(server: Server): DeploySystem {
  let url = ''
  return {
    name: 'holdfast',
    missing: undefined,
    version: RELEASE,
    settings: '`holdfast work`, an iteration with periodic checkpoints, concurrency 4, everything else as it comes',
    async prepare(count) {
      url = await server.create(DATABASE)
      await plain.prepare(url)
      const jobs = client({ database: url, queues: { deploys: {} } })
      const walk = jobs.contract({ name: 'walk', queue: 'deploys' })
      await jobs.enqueueMany(
        walk,
        Array.from({ length: count }, () => undefined),
      )
      await jobs.close()
    },
    worker: () => ({
      command: [process.execPath, '--no-warnings', MAIN, 'work', '--json', '--config', APP],
      env: { BENCH_DATABASE: url },
    }),
    census: () =>
      withClient(url, async (client) => ({
        stored: await number(
          client,
          'select (select count(*) from holdfast.job) + (select count(*) from holdfast.waiting)',
        ),
        failed: await number(client, `select count(*) from holdfast.history where state <> $1`, [COMPLETED]),
      })),
    close: () => server.drop(DATABASE),
  }
}
