import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findConfig } from '../../src/cli/config.ts'
import { type Loose, type Project, project, start } from './support.ts'

const LOADER = fileURLToPath(new URL('load-all.ts', import.meta.url))
const JOBS = `import { holdfast } from 'holdfast'
export interface Shape { readonly a: string }
export const jobs = holdfast({ queues: { bulk: {} } })
export const hello = jobs.task({ name: 'hello', run() {} })
`
const CONFIG = `import { hello, jobs } from './src/jobs.ts'
export default jobs.app({ tasks: [hello] })
`
const GOOD: Record<string, Record<string, string>> = {
  'a module': {},
  'a package that npm init made, which is CommonJS': { 'package.json': '{ "type": "commonjs" }' },
  'a package that names no type': { 'package.json': '{}' },
  'an enum': { 'src/jobs.ts': `${JOBS} export enum Colour { red }` },
  'a path without an extension, and a type imported as a value': {
    'holdfast.config.ts': CONFIG.replace('./src/jobs.ts', './src/jobs').replace('{ hello', '{ Shape, hello'),
  },
  'a path alias of tsconfig.json': {
    'holdfast.config.ts': CONFIG.replace('./src/jobs.ts', '@/jobs'),
    'tsconfig.json': '{ "compilerOptions": { "paths": { "@/*": ["./src/*"] } } }',
  },
  'plain JavaScript': { 'holdfast.config.mjs': CONFIG, 'holdfast.config.ts': '' },
}
const BAD: [name: string, files: Record<string, string>, code: string, message: RegExp][] = [
  [
    'a misspelt queue',
    { 'src/jobs.ts': JOBS.replace("'hello',", "'hello', queue: 'bulkk',") },
    'HF_QUEUE_NOT_FOUND',
    /Did you mean 'bulk'\?/,
  ],
  [
    'a missing package',
    { 'src/jobs.ts': `import 'zodd'\n${JOBS}` },
    'HF_CONFIG_LOAD',
    /Cannot find package 'zodd' imported from .*src\/jobs\.ts/,
  ],
  [
    'code that throws',
    { 'src/jobs.ts': `${JOBS}\n;(undefined as any).x()` },
    'HF_CONFIG_LOAD',
    /reading 'x'\) \(.*src\/jobs\.ts:6:21\)/,
  ],
  [
    'a file that does not parse',
    { 'src/jobs.ts': `${JOBS}\nconst x = = 1` },
    'HF_CONFIG_LOAD',
    /Unexpected token .*src\/jobs\.ts:6:10/,
  ],
  ['no app', { 'holdfast.config.ts': 'export default {}' }, 'HF_CONFIG_LOAD', /default export of .* is not an app/],
  ['nothing', { 'holdfast.config.ts': '' }, 'HF_CONFIG_LOAD', /default export of .* is not an app/],
]

const made: AsyncDisposable[] = []
let results: Loose[]
let secondCopy: string

beforeAll(async () => {
  secondCopy = await mkdtemp(path.join(tmpdir(), 'holdfast-copy-'))
  const root = fileURLToPath(new URL('../..', import.meta.url))
  await cp(path.join(root, 'src'), path.join(secondCopy, 'src'), { recursive: true })
  await symlink(path.join(root, 'node_modules'), path.join(secondCopy, 'node_modules'))
  await cp(path.join(root, 'package.json'), path.join(secondCopy, 'package.json'))

  const make = async (files: Record<string, string>, copy?: string): Promise<Project> => {
    const folder = await project({ 'src/jobs.ts': JOBS, 'holdfast.config.ts': CONFIG, ...files }, copy)
    made.push(folder)
    return folder
  }
  const projects = await Promise.all([
    ...Object.values(GOOD).map((files) => make(files)),
    ...BAD.map(([, files]) => make(files)),
    make({}, path.join(secondCopy, 'src')),
  ])
  const files = projects.map(({ folder }, index) =>
    path.join(folder, Object.keys(GOOD)[index] === 'plain JavaScript' ? 'holdfast.config.mjs' : 'holdfast.config.ts'),
  )
  const loading = start(files, {}, [LOADER])
  await loading.ended()
  expect(loading.stderr).toBe('')
  results = loading.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
})
afterAll(async () => {
  for (const each of made) await each[Symbol.asyncDispose]()
  await rm(secondCopy, { recursive: true, force: true })
})

describe('a config loads without a build step', () => {
  test.each(Object.keys(GOOD).map((name, index) => [name, index] as const))('%s', (_, index) => {
    expect(results[index]).toEqual({ tasks: ['hello'], queues: ['default', 'bulk'] })
  })

  test('another copy of this package', () => {
    expect(results.at(-1)).toEqual({ tasks: ['hello'], queues: ['default', 'bulk'] })
  })
})

describe('a config that cannot be loaded says why and where', () => {
  test.each(
    BAD.map(([name, , code, message], index) => [name, index + Object.keys(GOOD).length, code, message] as const),
  )('%s', (_, index, code, message) => {
    expect(results[index]).toEqual({ code, message: expect.stringMatching(message) })
  })
})

describe('findConfig', () => {
  test('takes the nearest one upwards, TypeScript before JavaScript', async () => {
    await using outer = await project({
      'holdfast.config.js': '',
      'a/holdfast.config.mts': '',
      'a/b/c/x.ts': '',
      'd/x.ts': '',
    })
    const at = (name: string) => path.join(outer.folder, name)
    expect(findConfig(undefined, at('a/b/c'))).toBe(at('a/holdfast.config.mts'))
    expect(findConfig(undefined, at('d'))).toBe(at('holdfast.config.js'))
    expect(findConfig('../holdfast.config.js', at('a'))).toBe(at('holdfast.config.js'))
    expect(() => findConfig('nope.ts', at('a'))).toThrow(/There is no file .*a\/nope\.ts/)
  })
})
