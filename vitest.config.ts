import { configDefaults, defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Need programs of the system: `npm run test:compat`, `npm run test:fleets`.
    exclude: [...configDefaults.exclude, 'test/compat/**', 'test/fleets/**'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    silent: 'passed-only',
  },
})
