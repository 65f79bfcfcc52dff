import { defineConfig } from 'vitest/config'
import { COMPILED } from './test/support/compiled.ts'
import { WAYS_TO_DIE } from './vitest.config.ts'

/** Every way to die, of which the ordinary run has a few. */
export default defineConfig({
  test: {
    include: ['test/deaths/**/*.test.ts', ...WAYS_TO_DIE],
    env: { ...COMPILED, HOLDFAST_DEATHS: 'all' },
    globalSetup: ['test/support/global-setup.ts'],
    hookTimeout: 60_000,
    // Each starts several processes.
    maxConcurrency: 3,
    silent: 'passed-only',
  },
})
