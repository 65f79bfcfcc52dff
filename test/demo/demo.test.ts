import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { demo, nothingIsLeft, ROWS, start, TIMEOUT } from './support.ts'

test('every row arrives exactly once, and the faults that could have prevented it happened', {
  timeout: TIMEOUT,
}, async () => {
  const { code, verdict, story } = await demo('--every', '2.5s')
  expect(verdict, story).toMatchObject({ rows: ROWS, imported: ROWS, missing: 0, duplicates: 0 })
  expect(code, story).toBe(0)
  expect(verdict.handoffs).toBeGreaterThanOrEqual(5)
  expect(verdict.kills).toBeGreaterThanOrEqual(3)
  expect(verdict.zombieWritesRefused).toBeGreaterThanOrEqual(1)
  expect(verdict.redone).toBeGreaterThan(0)
  expect(Object.keys(verdict)).toEqual(
    'rows imported missing duplicates redone handoffs kills zombieWritesRefused wallMs'.split(' '),
  )
  await nothingIsLeft()
})

test('Ctrl-C ends everything that was started, frozen workers too', { timeout: TIMEOUT }, async () => {
  const child = start('--every', '1.5s')
  await expect.poll(() => statesOf(child.pid as number), { timeout: 90_000, interval: 100 }).toContain('T')
  child.kill('SIGINT')
  const [code] = await once(child, 'exit')
  expect(code).toBe(130)
  await nothingIsLeft()
})

async function statesOf(parent: number): Promise<string[]> {
  const ps = spawn('ps', ['-eo', 'pid=,ppid=,state=', '--sort', 'pid'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const all = (await text(ps.stdout)).split('\n').map((line) => line.trim().split(/\s+/))
  // The workers are children of their supervisors.
  const family = new Set([String(parent)])
  for (const [pid = '', ppid = ''] of all) if (family.has(ppid)) family.add(pid)
  return all.filter(([pid = '']) => family.has(pid)).map(([, , state = '']) => state.charAt(0))
}

test.each([
  [['--rows', 'many'], /--rows takes a whole number/],
  [['--mutate', 'drop-all'], /--mutate takes 'drop-fence'/],
  [['--every', '1ms'], /--every must be a duration from/],
])('%j is refused', async (args, message) => {
  const child = start(...args)
  const [story, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  expect(story).toMatch(message)
  expect(code).toBeGreaterThan(0)
})
