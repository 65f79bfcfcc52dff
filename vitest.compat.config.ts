import { globSync } from 'node:fs'
import { defineConfig } from 'vitest/config'

/** Tests that are at home in the ordinary run, and are run on PostgreSQL 15 as well. A pattern that finds none is a mistake. */
const ALSO = [
  'test/support/database.test.ts',
  'test/store/migrate-race.test.ts',
  'test/kill/frozen.test.ts',
  'test/tasks/sources/rows*.test.ts',
]

for (const pattern of ALSO) {
  if (globSync(pattern).length === 0) throw new Error(`vitest.compat.config.ts: no test is called ${pattern}`)
}

/** The same code on another PostgreSQL, and behind a pooler: needs Debian's `postgresql-15` and `pgbouncer`. */
export default defineConfig({
  test: {
    include: ['test/compat/**/*.test.ts', ...ALSO],
    globalSetup: ['test/compat/global-setup.ts'],
    testTimeout: 40_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    silent: 'passed-only',
  },
})
