import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, expect, test } from 'vitest'
import { STORY_NAMES } from '../../src/demo/stories/names.ts'
import type { Fact } from '../../src/demo/stories/stage.ts'
import { until } from '../support/until.ts'

const main = path.join(import.meta.dirname, '../../src/cli/main.ts')

/** Several tests run at once: what is left of them goes at the end. */
const children = new Set<ChildProcess>()
const folders = new Set<string>()
afterAll(() => {
  for (const child of children) child.kill()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

interface Verdict {
  readonly story: string
  readonly passed: boolean
  readonly control: 'supervisord' | 'stand-in'
  readonly facts: readonly Fact[]
}

function start(story: string, home: string, searched = process.env['PATH']) {
  const env = { ...process.env, TMPDIR: home, NO_COLOR: '1', PATH: searched }
  const child = spawn(process.execPath, [main, 'demo', story, '--json'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  children.add(child)
  return child
}

async function tell(story: string, home: string, searched?: string) {
  const child = start(story, home, searched)
  const [line, said, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  if (line === '') throw new Error(`exit ${code} without a verdict:\n${said}`)
  return { code: code as number, verdict: JSON.parse(line) as Verdict, said }
}

/** The story's temporary folder is in here; the server's own user must reach it. */
function newHome(): string {
  const home = mkdtempSync(path.join(tmpdir(), 'stories-'))
  chmodSync(home, 0o755)
  folders.add(home)
  return home
}

/** A keeper looks twice a second whether its server is still used. */
async function nothingIsLeft(home: string): Promise<void> {
  const list = async () => (await text(spawn('ps', ['-eo', 'pid,args']).stdout)).split('\n')
  let left: string[] = []
  const gone = async () => {
    left = (await list()).filter((line) => line.includes(home))
    return left.length === 0
  }
  await until(gone, { deadline: 20_000, what: () => `nothing is left: ${left.join('\n')}` })
  expect(readdirSync(home)).toEqual([])
}

test.concurrent.for(STORY_NAMES)(
  '%s: everything that it claims is so, and nothing is left of it',
  async (story, context) => {
    const home = newHome()
    const { code, verdict, said } = await tell(story, home)
    context
      .expect(
        verdict.facts.filter(({ holds }) => !holds),
        said,
      )
      .toEqual([])
    context.expect(verdict, said).toMatchObject({ story, passed: true })
    context.expect(verdict.facts.length).toBeGreaterThanOrEqual(7)
    context.expect(code, said).toBe(0)
    await nothingIsLeft(home)
  },
)

test('without supervisord, a stand-in does as it does, and the story says so', async () => {
  const home = newHome()
  const bin = mkdtempSync(path.join(tmpdir(), 'stories-bin-'))
  folders.add(bin)
  for (const name of ['sh', 'ln', 'sleep', 'kill']) symlinkSync(`/bin/${name}`, path.join(bin, name))
  const { code, verdict, said } = await tell('taskmaster', home, bin)
  expect(
    verdict.facts.filter(({ holds }) => !holds),
    said,
  ).toEqual([])
  expect(verdict).toMatchObject({ passed: true, control: 'stand-in' })
  expect(said).toContain('supervisord is not installed: a stand-in')
  expect(code).toBe(0)
  await nothingIsLeft(home)
})

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s in the middle: nothing is left', async (signal) => {
  const home = newHome()
  const child = start('offenders', home)
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    said += part
  })
  const ended = once(child, 'exit')
  await until(() => said.includes('$ holdfast deploy prepare'), { deadline: 120_000, what: () => `it plays: ${said}` })
  child.kill(signal)
  expect(await ended).toEqual([130, null])
  await nothingIsLeft(home)
})
