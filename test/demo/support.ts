import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, expect, onTestFinished } from 'vitest'
import type { Verdict } from '../../src/demo/verdict.ts'

const main = path.join(import.meta.dirname, '../../src/cli/main.ts')
/** The demo's temporary folder is in here; the server's own user must reach it. */
const home = mkdtempSync(path.join(tmpdir(), 'demo-test-'))
chmodSync(home, 0o755)
afterAll(() => rmSync(home, { recursive: true, force: true }))

export const ROWS = 9_000
/** Half a minute on a machine that has nothing else to do. */
export const TIMEOUT = 240_000

export function start(...args: string[]) {
  const env = { ...process.env, TMPDIR: home, NO_COLOR: '1' }
  const child = spawn(process.execPath, [main, 'demo', '--json', '--rows', String(ROWS), ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill())
  return child
}

export async function demo(...args: string[]): Promise<{ code: number; verdict: Verdict; story: string }> {
  const child = start(...args)
  const [lines, story, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  const last = lines.trimEnd().split('\n').at(-1) ?? ''
  if (last === '') throw new Error(`exit ${code} without a verdict:\n${story}`)
  // A machine that is too busy to strike often enough proves nothing, either way: once more, with more time.
  if (code === 2 && !args.includes('5s')) return demo(...args, '--every', '5s')
  return { code: code as number, verdict: JSON.parse(last) as Verdict, story }
}

/** A keeper looks twice a second whether its server is still used. */
export async function nothingIsLeft(): Promise<void> {
  expect(readdirSync(home)).toEqual([])
  await expect.poll(() => processesIn(home), { timeout: 10_000 }).toEqual([])
}

async function processesIn(folder: string): Promise<string[]> {
  const ps = spawn('ps', ['-eo', 'pid,args'], { stdio: ['ignore', 'pipe', 'ignore'] })
  return (await text(ps.stdout)).split('\n').filter((line) => line.includes(folder))
}
