import { globSync } from 'node:fs'
import { defineConfig } from 'vitest/config'
import { COMPILED } from './test/support/compiled.ts'

/**
 * Tests that are at home in the ordinary run, and are run on this server as well: between them they send every statement. For all of
 * them: HOLDFAST_TEST_DATABASE_URL.
 */
const ALSO = [
  'test/engine/iteration.test.ts',
  'test/engine/partitions.test.ts',
  'test/invariants/model.test.ts',
  'test/store/contract/*.test.ts',
  'test/store/{health,migrate-race,partition-race,renewal}.test.ts',
  'test/store/races/*.test.ts',
  'test/support/database.test.ts',
  'test/tasks/sources/rows.test.ts',
]

for (const pattern of ALSO) {
  if (globSync(pattern).length === 0) throw new Error(`vitest.compat.config.ts: no test is called ${pattern}`)
}

/** The same code on another PostgreSQL, and behind a pooler: needs Debian's `postgresql-15` and `pgbouncer`. */
export default defineConfig({
  test: {
    include: ['test/compat/**/*.test.ts', ...ALSO],
    globalSetup: ['test/compat/global-setup.ts'],
    env: COMPILED,
    testTimeout: 40_000,
    hookTimeout: 60_000,
    // One more than the cores of a small machine: the tests of leases mostly wait.
    maxWorkers: 3,
    silent: 'passed-only',
  },
})
