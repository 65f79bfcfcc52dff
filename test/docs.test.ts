import { existsSync, globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { Command, type CommandUnknownOpts } from '@commander-js/extra-typings'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { lifePage } from '../scripts/build-docs.ts'
import { neutral } from '../scripts/build-stories.ts'
import { checkSources } from '../scripts/check-sources.ts'
import { readHere } from '../scripts/named-tests.ts'
import { COMMANDS } from '../src/cli/program.ts'
import { STORY_NAMES } from '../src/demo/stories/names.ts'
import { holdfast } from '../src/index.ts'
import { Database } from '../src/store/db.ts'
import { migrate } from '../src/store/migrate.ts'
import { createDatabase } from './support/database.ts'
import { blocksOf, programsOf, proseOf, readPage } from './support/pages.ts'

const root = path.join(import.meta.dirname, '..')
const GUIDE = ['README.md', ...globSync('docs/guide/*.md', { cwd: root }).sort()]
const PAGES = globSync(['*.md', 'docs/**/*.md', 'bench/*.md'], { cwd: root }).sort()

/** Links of a page that lead nowhere: a file that is not there, a heading that the file does not have. */
function brokenLinks(page: string, markdown = readPage(page)): string[] {
  const targets = [...proseOf(markdown).matchAll(/\]\(([^()\s]+)\)/g)].map((match) => match[1] as string)
  return targets.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false
    const [file = '', heading] = target.split('#')
    const found = file === '' ? page : path.join(path.dirname(page), decodeURI(file))
    if (!existsSync(path.join(root, found))) return true
    return heading !== undefined && !headingsOf(file === '' ? markdown : readPage(found)).has(heading)
  })
}

/** As GitHub names them. */
function headingsOf(markdown: string): Set<string> {
  const slugs = [...withoutBlocks(markdown).matchAll(/^#+ (.*)$/gm)].map((match) =>
    (match[1] as string)
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-'),
  )
  return new Set(slugs)
}

function withoutBlocks(markdown: string): string {
  return markdown.replaceAll(/^ *(`{3,})[\s\S]*?^ *\1`*$/gm, '')
}

test.each(PAGES)('every link of %s leads somewhere', (page) => {
  expect(brokenLinks(page)).toEqual([])
})

test('links that lead nowhere are found', () => {
  const page = [
    '# A page (really)',
    '[file](docs/nowhere.md) [heading](#elsewhere) [heading there](CONTRIBUTING.md#nowhere)',
    '[fine](#a-page-really) [fine](CONTRIBUTING.md#set-up) [fine](https://example.org/x) `[code](no-link)`',
    '```ts',
    '[block](no-link)',
    '```',
  ].join('\n')
  expect(brokenLinks('README.md', page)).toEqual(['docs/nowhere.md', '#elsewhere', 'CONTRIBUTING.md#nowhere'])
})

describe('the code of the README and the guide', () => {
  test.each(GUIDE)('%s: each block of TypeScript is a program, or says that it is a fragment', (page) => {
    const blocks = blocksOf(readPage(page)).filter(({ info }) => /^(ts|typescript|js)\b/.test(info))
    const loose = blocks.filter(({ info }) => info !== 'ts fragment')
    expect(loose.length, 'only programs are compiled, by test/types').toBe(programsOf(readPage(page)).length)
  })

  test('is taken apart as it stands', () => {
    const page = [
      'Text.',
      '```ts',
      "import a from 'a'",
      '```',
      '```ts',
      '// file: b.ts',
      'b',
      '```',
      '```ts fragment',
      'c',
      '```',
      '```ts',
      'd',
      '```',
      '```sh',
      'e',
      '```',
    ].join('\n')
    expect(programsOf(page)).toEqual([
      { file: 'program-1.ts', code: "import a from 'a'\n" },
      { file: 'b.ts', code: '// file: b.ts\nb\n' },
    ])
    expect(blocksOf(page).map(({ info, line }) => [info, line])).toEqual([
      ['ts', 3],
      ['ts', 6],
      ['ts fragment', 10],
      ['ts', 13],
      ['sh', 16],
    ])
  })
})

/** Commander's own, and those that belong to releases to come; the pages say so. */
const TO_COME = ['help', 'check', 'forecast', 'playground']

/** Every command, and each of its subcommands behind it: `deploy`, `deploy prepare`. */
async function commands(): Promise<Set<string>> {
  const program: CommandUnknownOpts = new Command()
  for (const { load } of Object.values(COMMANDS)) (await load()).define(program)
  return new Set(program.commands.flatMap((each) => [each.name(), ...subcommandsOf(each)]))
}

function subcommandsOf(command: CommandUnknownOpts): string[] {
  return command.commands.map((each) => `${command.name()} ${each.name()}`)
}

/** Commands that a page names, in spans and blocks of code, and that do not exist. */
async function unknownCommands(markdown: string): Promise<string[]> {
  const known = await commands()
  const hasMore = new Set([...known].flatMap((name) => (name.includes(' ') ? [name.split(' ')[0]] : [])))
  return codeLines(markdown).flatMap((line) => {
    const found = [...line.matchAll(/(?:^\s*|\$ |&& |npx )holdfast ([a-z]+)(?: ([a-z]+))?/g)]
    return found.flatMap(([, first = '', second]) => {
      const name = second !== undefined && hasMore.has(first) ? `${first} ${second}` : first
      return known.has(name) || TO_COME.includes(first) ? [] : [name]
    })
  })
}

function codeLines(markdown: string): string[] {
  const spans = [...markdown.matchAll(/`([^`\n]+)`/g)].map((match) => match[1] as string)
  return [...spans, ...blocksOf(markdown).flatMap((block) => block.code.split('\n'))]
}

test.each(PAGES)('every command that %s names exists', async (page) => {
  const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { scripts: object }
  const named = codeLines(readPage(page)).flatMap((line) => /\bnpm run (?:--silent )?([\w:-]+)/.exec(line)?.[1] ?? [])
  expect(named.filter((script) => !Object.hasOwn(scripts, script))).toEqual([])
  expect(await unknownCommands(readPage(page))).toEqual([])
})

test('commands that do not exist are found', async () => {
  const page = [
    '`holdfast wrok`, `npx holdfast deploy prepre --hold 1m`, `holdfast format`, `holdfast jobs retries ID`',
    '```sh',
    '$ sleep 1 && holdfast deploy finnish 2',
    '```',
    '`holdfast deploy finish 2`, `holdfast deploy`, `holdfast jobs list | show`, `holdfast enqueue send`, `holdfast check`',
  ].join('\n')
  expect(await unknownCommands(page)).toEqual(['wrok', 'deploy prepre', 'format', 'jobs retries', 'deploy finnish'])
})

describe('docs/sources.md', () => {
  test('maps every claim to a test that exists, or says what is planned', () => {
    expect(checkSources(readPage('docs/sources.md'), readHere)).toEqual([])
  })

  const check = (...rows: string[]) =>
    checkSources(
      ['## A source', '| asked | so | carried by |', '|---|---|---|', ...rows].join('\n'),
      (file) => (file === 'a.test.ts' ? "test('one', () => {})" : undefined),
      { 'A source': 1 },
    ).map(({ problem }) => problem)

  test.each<[string, string[], string[]]>([
    ['a test', ['| a | b | `a.test.ts` "one" |'], []],
    ['a test, and a plan', ['| a | b | `a.test.ts` "one"<br>planned: more |'], []],
    ['a plan', ['| a | b | planned: a gate |'], []],
    ['a plan of nothing', ['| a | b | planned: |'], ['is planned, but as what?']],
    ['a test that is gone', ['| a | b | `a.test.ts` "two" |'], ['no test "two" in a.test.ts']],
    ['a file that is gone', ['| a | b | `b.test.ts` "one" |'], ['no test "one" in b.test.ts']],
    ['nothing', ['| a | b | |'], ['cell 3 is empty']],
    ['a claim too few', [], ['"A source" has 0 claims, it makes 1']],
  ])('%s', (_what, rows, problems) => expect(check(...rows)).toEqual(problems))
})

test.each(STORY_NAMES)('docs/stories.md has %s as it was told, and nothing of the machine that told it', (story) => {
  const page = readPage('docs/stories.md')
  expect(page).toContain(`npm run demo -- ${story}`)
  const [, transcript = ''] =
    new RegExp(`build-stories.ts: ${story} -->\\n\\n\`\`\`\\n([\\s\\S]*?)\\n\`\`\``).exec(page) ?? []
  expect(transcript).toMatch(/\nVerdict\n[\s\S]*✓[\s\S]*\n {2}exit code 0$/)
  expect(transcript).not.toMatch(/✗|\/tmp\/|\/home\/|root@|stand-in/)
})

test('a transcript is told as if it had been told elsewhere, and its columns stay', () => {
  const told = [
    'DEPLOY  BEGAN                 OWNER            REASON',
    '2       2026-11-21 08:54:03Z  eva@box-1:20469  x',
    '1       2026-11-21 08:53:57Z  eva@box-1:20296  x  by eva@box-1:20469 on box-1:7',
    'at 2026-11-21T08:53:57.250Z: 01a1fd4c-6296-70d5-9d90-48c9d60fb78a',
  ]
  expect(neutral(told.join('\n'), { user: 'eva', host: 'box-1' }).split('\n')).toEqual([
    'DEPLOY  BEGAN                 OWNER            REASON',
    '2       2027-01-11 12:00:00Z  you@host:41      x',
    '1       2027-01-11 11:59:54Z  you@host:42      x  by you@host:41 on host:43',
    'at 2027-01-11T11:59:54.250Z: 0197a2b4-3c5d-7e6f-8a9b-000000000001',
  ])
})

test('CONTRIBUTING.md has every script', () => {
  const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { scripts: object }
  const named = readPage('CONTRIBUTING.md')
  const missing = Object.keys(scripts).filter(
    (name) => !named.includes(`\`npm ${name === 'test' ? '' : 'run '}${name}\``),
  )
  expect(missing.filter((name) => !/^(pre|post)/.test(name))).toEqual([])
})

test('docs/life-of-a-job.md has the transitions of the code: run `npm run docs`', () => {
  const page = readPage('docs/life-of-a-job.md')
  expect(page).toBe(lifePage(page))
  expect(page).toContain('| claim | `ready` | `running` |')
})

test('the rights that the guide grants a producer are enough to enqueue, and for nothing else', async (context) => {
  await using database = await createDatabase()
  const db = new Database({ url: database.url, schema: 'holdfast', connections: 1 })
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const jobs = holdfast({ database: database.url })
  const role = `${database.name}_web`
  try {
    const { rows } = await client.query(
      'select rolsuper or rolcreaterole as may from pg_roles where rolname = current_user',
    )
    if (!rows[0].may) return context.skip('this user may not create roles')
    await migrate(db, '0.0.0')
    const grants = blocksOf(readPage('docs/guide/6-operations.md')).find(({ code }) => code.startsWith('grant '))?.code
    await client.query(`create role ${role}`)
    await client.query((grants ?? '').replaceAll(/\bweb\b/g, role))

    const task = jobs.contract({ name: 'some-task' })
    await client.query(`begin; set local role ${role}`)
    await jobs.enqueue(task, undefined, { tx: client })
    await jobs.enqueue(task, undefined, { tx: client, after: '1h' })
    await client.query('commit')
    const counted =
      'select (select count(*)::int from holdfast.job) + (select count(*)::int from holdfast.waiting) as jobs'
    expect((await client.query(counted)).rows).toEqual([{ jobs: 2 }])
    for (const table of ['job', 'waiting', 'history']) {
      await client.query(`begin; set local role ${role}`)
      await expect(client.query(`select input from holdfast.${table}`)).rejects.toMatchObject({ code: '42501' })
      await client.query('rollback')
    }
  } finally {
    await client.query(`drop owned by ${role}; drop role ${role}`).catch(() => {})
    await Promise.all([client.end(), jobs.close(), db.close()])
  }
})
