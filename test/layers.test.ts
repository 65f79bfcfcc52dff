import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { breaches, readSources } from './support/layers.ts'

const src = path.join(import.meta.dirname, '../src')

test('every file of src imports only what stands to its left', () => {
  const sources = readSources(src)
  expect(sources.size).toBeGreaterThan(50)
  expect(breaches(sources)).toEqual([])
})

describe('the rules can be broken, and say by what', () => {
  const house = {
    'model/job.ts': 'export type Job = { id: string }',
    'store/jobs.ts':
      "import type { Job } from '../model/job.ts'\nimport pg from 'pg'\nexport const sql = 'select id from job'",
    'engine/claim.ts': "import '../store/jobs.ts'",
    'cli/main.ts': "import '../engine/claim.ts'\nprocess.env.HOLDFAST_GRACE",
  }
  const check = (files: Record<string, string>) => breaches(new Map(Object.entries({ ...house, ...files })))

  test('a house in order', () => expect(check({})).toEqual([]))

  test.each([
    ['a value from above', "import { x } from '../engine/claim.ts'"],
    ['a type from above', "import type { X } from '../engine/claim.ts'"],
    ['an export from above', "export { x } from '../engine/claim.ts'"],
    ['everything from above', "export * from '../engine/claim.ts'"],
    ['a late import', "const load = () => import('../engine/claim.ts')"],
    ['a type where it is used', "let x: import('../engine/claim.ts').X"],
    ['a thread', "new Worker(new URL('../engine/claim.ts', import.meta.url))"],
  ])('%s', (_, text) => {
    expect(check({ 'model/backoff.ts': text })).toEqual([
      'model/backoff.ts (model) imports engine/claim.ts (engine), which is further up',
    ])
  })

  test('an entry point is above everything', () => {
    expect(check({ 'index.ts': '', 'surfaces/log.ts': "import '../index.ts'" })).toEqual([
      'surfaces/log.ts (surfaces) imports index.ts (entry points), which is further up',
    ])
  })

  test('one surface knows another', () => {
    const files = { 'surfaces/log.ts': '', 'surfaces/http/server.ts': "import '../log.ts'\nimport './routes.ts'" }
    expect(check({ ...files, 'surfaces/http/routes.ts': '' })).toEqual([
      'surfaces/http/server.ts imports surfaces/log.ts: one surface must not know another',
    ])
  })

  test('a file that is not there', () => {
    expect(check({ 'model/a.ts': "import './b.ts'" })).toEqual(['model/a.ts imports model/b.ts, which does not exist'])
  })

  test.each(['pg', 'pg/lib/utils.js', 'pg-cursor'])('%s outside store', (name) => {
    expect(check({ 'engine/a.ts': `import type { Pool } from '${name}'` })).toEqual([
      `engine/a.ts imports ${name}: only store/ knows the database`,
    ])
  })

  test.each([
    ["query('select id from job where run = $1')", 'select id from job w'],
    ['query(`\n  with ended as (\n    delete from job)`)', 'with ended as ( dele'],
    ["query('BEGIN')", 'BEGIN'],
    ["query('set local statement_timeout = 5')", 'set local statement_'],
  ])('SQL outside store: %s', (text, shown) => {
    expect(check({ 'tasks/a.ts': text })).toEqual([`tasks/a.ts holds SQL ("${shown}"): statements live in store/sql/`])
  })

  test('the demo has a table of its own, and no way to the database but the store', () => {
    expect(check({ 'demo/app.ts': "import 'pg'\nquery('select id from place where id = $1')" })).toEqual([
      'demo/app.ts imports pg: only store/ knows the database',
    ])
  })

  test('words that only look like SQL', () => {
    const words = ['select one of these', 'update the lease', 'delete it from the list', 'with care', 'commit early']
    expect(check({ 'tasks/a.ts': words.map((each) => `say('${each}')`).join('\n') })).toEqual([])
  })

  test.each([
    ["process.env['NODE_ENV']", 'process.env'],
    ['const { argv } = process', 'process.argv'],
    ["import { env } from 'node:process'", 'process.env'],
  ])('settings read below the entry points: %s', (text, name) => {
    expect(check({ 'engine/a.ts': text })).toEqual([
      `engine/a.ts reads ${name}: only entry points do, and pass it down`,
    ])
  })

  test('a cycle, of types alone', () => {
    const files = {
      'model/a.ts': "import type { B } from './b.ts'",
      'model/b.ts': "import type { C } from './c.ts'",
      'model/c.ts': "import type { A } from './a.ts'",
    }
    expect(check(files)).toEqual(['model/a.ts → model/b.ts → model/c.ts → model/a.ts: an import cycle'])
  })
})
