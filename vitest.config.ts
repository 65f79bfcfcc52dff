import { configDefaults, defineConfig } from 'vitest/config'
import { COMPILED } from './test/support/compiled.ts'

/** Beside the table of deaths, of which the ordinary run has a few rows. */
export const WAYS_TO_DIE = [
  'test/cli/evidence.test.ts',
  'test/demo/without-fence.test.ts',
  'test/engine/isolation.test.ts',
  'test/engine/isolation-limit.test.ts',
  'test/engine/limits.test.ts',
  'test/cli/shutdown-faults.test.ts',
  'test/cli/memory.test.ts',
  'test/kill/stop-points.test.ts',
]

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Need programs of the system: `npm run test:compat`, `npm run test:fleets`; or minutes: `npm run test:stories`, `test:deaths`.
    exclude: [...configDefaults.exclude, 'test/compat/**', 'test/fleets/**', 'test/stories/**', ...WAYS_TO_DIE],
    globalSetup: ['test/support/global-setup.ts'],
    env: COMPILED,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    silent: 'passed-only',
  },
})
