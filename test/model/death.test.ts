import { expect, test } from 'vitest'
import { type Death, describeDeath, wasKilledFromOutside } from '../../src/model/death.ts'

const death = (facts: Partial<Death>): Death => ({ code: null, signal: null, oom: undefined, ...facts })

test.each([
  [death({ code: 3 }), 'exited with code 3', false],
  [death({ signal: 'SIGSEGV' }), 'killed by SIGSEGV', false],
  [death({ signal: 'SIGKILL' }), 'killed by SIGKILL', true],
  [
    death({ signal: 'SIGKILL', oom: 'system' }),
    'killed by SIGKILL (exit code 137): the system was out of memory (OOM killer)',
    false,
  ],
  [death({ signal: 'SIGKILL', oom: 'unknown' }), 'killed by SIGKILL: whether for want of memory is unknown', true],
  [death({ signal: 'SIGABRT', oom: 'heap' }), 'ran out of memory: its heap was full', false],
  [death({ code: 1, thrown: 'boom' }), 'ended by an error: boom', false],
  [death({}), 'exited with code unknown', false],
])('%o: %s', (facts, text, fromOutside) => {
  expect(describeDeath(facts)).toBe(text)
  expect(wasKilledFromOutside(facts)).toBe(fromOutside)
})
