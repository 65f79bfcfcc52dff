/** Writes what is generated from the code in `docs/`. Run it after a change to the table of errors or to the legal transitions. */
import { readFileSync, writeFileSync } from 'node:fs'
import { ERRORS, type ErrorEntry } from '../src/model/errors.ts'
import { INITIAL_STATES, MOVES, type State } from '../src/model/states.ts'

/** The text of `docs/errors.md`. */
export function errorsPage(errors: Readonly<Record<string, ErrorEntry>> = ERRORS): string {
  const entries = Object.entries(errors).map(
    ([code, { cause, cure }]) => `## ${code}\n\n**What happened.** ${cause}\n\n**What to do.** ${cure}\n`,
  )
  return [
    '# Errors\n',
    '<!-- Generated from src/model/errors.ts by scripts/build-docs.ts: change the table, not this page. -->\n',
    'Every error that Holdfast raises on purpose is a `HoldfastError` with one of these codes in `error.code`.',
    'Codes are stable; messages may improve. The message says what exactly is wrong; this page says why and what to do.\n',
    ...entries,
  ].join('\n')
}

const BEGIN = '<!-- Generated from src/model/states.ts by scripts/build-docs.ts: begin -->'
const END = '<!-- Generated: end -->'
/** They lead from almost everywhere: a picture with them would show nothing. */
const EVERYWHERE = new Set(['cancel', 'expire', 'pause', 'resume', 'retry by hand'])

/** `docs/life-of-a-job.md` with its picture and its table of transitions as the code has them. */
export function lifePage(page: string): string {
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin === -1 || end < begin) throw new Error('docs/life-of-a-job.md has lost the marks of its generated part')
  return `${page.slice(0, begin + BEGIN.length)}\n\n${statesPicture()}\n\n${movesTable()}\n\n${page.slice(end)}`
}

function statesPicture(): string {
  const arrows = MOVES.filter((move) => !EVERYWHERE.has(move.name)).flatMap(({ name, from, to }) =>
    from.map((state) => `  ${state} --> ${to}: ${name}`),
  )
  const beginnings = INITIAL_STATES.map((state) => `  [*] --> ${state}: enqueue`)
  return ['```mermaid', 'stateDiagram-v2', ...beginnings, ...arrows, '```'].join('\n')
}

function movesTable(): string {
  const list = (states: readonly State[]) => states.map((state) => `\`${state}\``).join(', ')
  const rows = MOVES.map(({ name, from, to }) => `| ${name} | ${list(from)} | \`${to}\` |`)
  return ['| transition | from | to |', '|---|---|---|', ...rows].join('\n')
}

if (import.meta.main) {
  const docs = new URL('../docs/', import.meta.url)
  writeFileSync(new URL('errors.md', docs), errorsPage())
  const life = new URL('life-of-a-job.md', docs)
  writeFileSync(life, lifePage(readFileSync(life, 'utf8')))
}
