import { defineConfig } from 'vitest/config'
import { COMPILED } from './test/support/compiled.ts'

/** The gate over fleets of other job systems, the real ones: `test/fleets/install.sh` fetches them. */
export default defineConfig({
  test: {
    include: ['test/fleets/**/*.test.ts'],
    globalSetup: ['test/fleets/global-setup.ts'],
    env: COMPILED,
    testTimeout: 240_000,
    hookTimeout: 120_000,
    // They mostly wait for answers of workers.
    maxWorkers: 3,
    maxConcurrency: 3,
    silent: 'passed-only',
  },
})
