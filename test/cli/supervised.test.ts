import { spawn } from 'node:child_process'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

test('a supervisor that stands still, with its pipe full, does not keep a process that leaves', {
  timeout: 30_000,
}, async () => {
  const fixture = fileURLToPath(new URL('../fixtures/unheard.ts', import.meta.url))
  // A channel that nobody reads from.
  const env = { PATH: process.env['PATH'], NODE_CHANNEL_FD: '3', HOLDFAST_BLACKBOX: '2' }
  const child = spawn(process.execPath, [fixture], { stdio: ['ignore', 'pipe', 'inherit', 'pipe'], env })
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
  const said = await text(child.stdout ?? Readable.from([]))
  clearTimeout(timer)
  expect(said).toMatch(/^true \d+\n$/)
  expect(Number(said.split(' ')[1])).toBeGreaterThan(400)
})
