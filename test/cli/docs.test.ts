import { readFileSync } from 'node:fs'
import { Command, type CommandUnknownOpts } from '@commander-js/extra-typings'
import { expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/program.ts'
import { STATE_CODES } from '../../src/store/codes.ts'

const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')

test.each(Object.entries(COMMANDS).filter(([name]) => name !== 'demo'))(
  'docs/cli.md has every option of %s, and no others',
  async (name, { load }) => {
    const program: CommandUnknownOpts = new Command()
    ;(await load()).define(program)
    const command = program.commands[0] as CommandUnknownOpts
    expect(command.name()).toBe(name)
    const start = page.indexOf(`\n## ${name}\n`)
    expect(start, `a section on ${name}`).toBeGreaterThan(0)
    const section = page.slice(start, page.indexOf('\n## ', start + 1) >>> 0)
    const common = ['--config', '--schema', '--json']
    const flags = [command, ...command.commands].flatMap((each) =>
      each.options.filter(({ hidden }) => !hidden).map((option) => option.long as string),
    )
    const own = [...new Set(flags)].filter((flag) => !common.includes(flag)).sort()
    const told = [...new Set(section.match(/(?<!-)--[a-z][a-z-]*/g))].filter((flag) => !common.includes(flag)).sort()
    expect(told).toEqual(own)
    for (const sub of command.commands) expect(section).toMatch(new RegExp(`(${name}|,) ${sub.name()}`))
  },
)

test('docs/cli.md names every state', () => {
  for (const state of Object.keys(STATE_CODES)) expect(page).toContain(`\`${state}\``)
})
