import { defineConfig } from 'vitest/config'
import { COMPILED } from './test/support/compiled.ts'

/** Each story of `holdfast demo` to its end, with supervisord where it is installed (Debian's `supervisor`). */
export default defineConfig({
  test: {
    include: ['test/stories/**/*.test.ts'],
    env: COMPILED,
    // Each is several processes, which mostly wait; several servers start at once, though.
    maxWorkers: 1,
    maxConcurrency: 2,
    testTimeout: 300_000,
    hookTimeout: 60_000,
    silent: 'passed-only',
  },
})
