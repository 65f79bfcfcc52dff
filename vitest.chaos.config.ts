import { defineConfig } from 'vitest/config'
import { COMPILED } from './test/support/compiled.ts'

/** The full size of what the ordinary run does a little of. */
export default defineConfig({
  test: {
    include: ['test/kill/once.test.ts', 'test/deploy/many-deploys.test.ts'],
    env: {
      ...COMPILED,
      HOLDFAST_ONCE_RUNS: process.env['HOLDFAST_ONCE_RUNS'] ?? '10000',
      HOLDFAST_DEPLOYS: process.env['HOLDFAST_DEPLOYS'] ?? '1000',
    },
    globalSetup: ['test/support/global-setup.ts'],
    hookTimeout: 60_000,
    silent: false,
  },
})
