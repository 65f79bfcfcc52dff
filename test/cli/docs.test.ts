import { globSync } from 'node:fs'
import path from 'node:path'
import { Command, type CommandUnknownOpts } from '@commander-js/extra-typings'
import { describe, expect, test } from 'vitest'
import { JOB_CHECKS } from '../../src/cli/doctor-jobs.ts'
import { PROJECT_CHECKS } from '../../src/cli/doctor-project.ts'
import { SERVER_CHECKS } from '../../src/cli/doctor-server.ts'
import { COMMANDS } from '../../src/cli/program.ts'
import { supervisorMetrics } from '../../src/cli/supervisor-metrics.ts'
import { STATE_CODES } from '../../src/store/codes.ts'
import { readPage } from '../support/pages.ts'

const page = readPage('docs/cli.md')
const COMMON = ['--config', '--schema', '--json']

/** The text below a heading, up to the next one of its rank. */
function sectionOf(markdown: string, heading: string): string {
  const start = markdown.indexOf(`\n${heading}\n`)
  if (start === -1) return ''
  const rank = heading.split(' ')[0]
  return markdown.slice(start + 1, markdown.indexOf(`\n${rank} `, start + 1) >>> 0)
}

function flagsOf(command: CommandUnknownOpts): string[] {
  const flags = command.options.filter(({ hidden }) => !hidden).map((option) => option.long as string)
  return flags.filter((flag) => !COMMON.includes(flag)).sort()
}

function flagsIn(text: string): string[] {
  return [...new Set(text.match(/(?<!-)--[a-z][a-z-]*/g))].filter((flag) => !COMMON.includes(flag))
}

/**
 * Which flags a section gives to which subcommand. A `###` heading names one, or several: then each paragraph, line of a list or row of a table that has
 * flags says whose they are. `?` are flags of which nothing says that.
 */
function flagsBySubcommand(section: string, name: string): Record<string, string[]> {
  const told: Record<string, string[]> = {}
  const [intro = '', ...parts] = section.split(/^### /m)
  const add = (sub: string, flags: readonly string[]) => {
    told[sub] = [...new Set([...(told[sub] ?? []), ...flags])].sort()
  }
  if (flagsIn(intro).length > 0) add('?', flagsIn(intro))
  for (const part of parts) {
    const [heading = '', ...lines] = part.split('\n')
    const subs = heading.split(', ').map((each) => each.replace(`${name} `, ''))
    for (const sub of subs) add(sub, [])
    if (subs.length === 1) add(subs[0] as string, flagsIn(lines.join('\n')))
    else
      for (const piece of lines.join('\n').split(/\n(?=[-|])|\n\n/)) {
        const flags = flagsIn(piece)
        const named = [...piece.matchAll(new RegExp(`\`${name} ([a-z]+)`, 'g'))].map(([, sub]) => sub as string)
        if (flags.length > 0) for (const sub of named.length === 0 ? ['?'] : named) add(sub, flags)
      }
  }
  return told
}

async function commandOf(name: string): Promise<CommandUnknownOpts> {
  const program: CommandUnknownOpts = new Command()
  await COMMANDS[name]?.load().then(({ define }) => define(program))
  return program.commands[0] as CommandUnknownOpts
}

describe('docs/cli.md has every option of each command, and no others', () => {
  test.each(Object.keys(COMMANDS).filter((name) => name !== 'demo'))('%s', async (name) => {
    const command = await commandOf(name)
    expect(command.name()).toBe(name)
    const section = sectionOf(page, `## ${name}`)
    expect(section, `a section on ${name}`).not.toBe('')
    if (command.commands.length === 0) expect(flagsIn(section).sort()).toEqual(flagsOf(command))
    else {
      const own = Object.fromEntries(command.commands.map((each) => [each.name(), flagsOf(each)]))
      expect(flagsBySubcommand(section, name)).toEqual(own)
    }
  })

  test('flags are those of the subcommand that they stand with', () => {
    const section = [
      'Intro with `--lost`.',
      '### deploy run',
      '`--hold`, and `--json`.',
      '### deploy finish, abort',
      '| `deploy finish` | goes on |',
      '| `deploy abort` | with `--force`',
      '',
      '- `deploy finish`, `deploy abort`: `--fleet`,',
      '  `--state`',
      '- `--stray`',
    ].join('\n')
    expect(flagsBySubcommand(section, 'deploy')).toEqual({
      run: ['--hold'],
      finish: ['--fleet', '--state'],
      abort: ['--fleet', '--force', '--state'],
      '?': ['--lost', '--stray'],
    })
  })
})

/** The rows of a section's table that begins with this cell, without its head. */
function rowsOf(section: string, first: string): string[][] {
  const lines = section.split('\n')
  const head = lines.findIndex((line) => line.startsWith(`| ${first} |`))
  if (head === -1) throw new Error(`There is no table with ${first}`)
  const end = lines.findIndex((line, index) => index > head && !line.startsWith('|'))
  return lines.slice(head + 2, end === -1 ? undefined : end).map((line) => line.split('|').slice(1, -1).map(plain))
}

function plain(cell: string): string {
  return cell.replaceAll('`', '').trim()
}

const root = path.join(import.meta.dirname, '../..')
const sources = globSync('src/**/*.ts', { cwd: root, exclude: ['src/demo/**'] }).map(readPage)

test('docs/cli.md has every state', () => {
  for (const state of Object.keys(STATE_CODES)) expect(page).toContain(`\`${state}\``)
})

test('docs/cli.md has every event of the log of `work`', () => {
  const events = new Set(
    sources.flatMap((text) => [...text.matchAll(/(?<!\()\bevent: '([a-z]+)'/g)].map(([, event]) => event)),
  )
  const told = rowsOf(sectionOf(page, '## work'), '`event`').flatMap(([first]) => (first as string).split(', '))
  expect(new Set(told)).toEqual(events)
})

/** Read by another command, in its own words there. */
const OTHERS = new Set(['HOLDFAST_DEPLOY_NUMBER'])

test('docs/cli.md has every variable of the environment that `work` reads', () => {
  const read = sources.flatMap((text) => [...text.matchAll(/\benv\['(HOLDFAST_[A-Z_]+)'\]/g)].map(([, name]) => name))
  const told = rowsOf(sectionOf(page, '## work'), 'environment').map(([name]) => name)
  expect(new Set(told)).toEqual(new Set(read.filter((name) => !OTHERS.has(String(name)))))
})

test('docs/cli.md has every check of doctor, in its order', () => {
  const checks = [...SERVER_CHECKS, ...JOB_CHECKS, ...PROJECT_CHECKS].map(({ name }) => name)
  expect(rowsOf(sectionOf(page, '## doctor'), 'check').map(([check]) => check)).toEqual(['app', ...checks])
})

test('docs/guide/6-operations.md has every metric, with its type and its labels', () => {
  const beat = { settled: { complete: 1 }, unserved: [{ queue: 'q', task: 't', version: 1, lack: 'task', jobs: 1 }] }
  const supervisor = {
    children: [{ beat }],
    counts: { starts: 1, deaths: new Map([['exit', 1]]) },
    worries: new Map([['no-progress', 1]]),
  }
  const metrics = supervisorMetrics(supervisor as never).map(({ name, type, samples }) => {
    const labels = samples.flatMap((sample) => ('labels' in sample ? Object.keys(sample.labels ?? {}) : []))
    return [name, type, labels.join(', ')]
  })
  const rows = rowsOf(sectionOf(readPage('docs/guide/6-operations.md'), '## Metrics'), 'metric')
  expect(rows.map((row) => row.slice(0, 3))).toEqual(metrics)
})
