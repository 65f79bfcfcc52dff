/** Writes the pages of `docs/` that are generated from the code. Run it after a change to the table of errors. */
import { writeFileSync } from 'node:fs'
import { ERRORS, type ErrorEntry } from '../src/model/errors.ts'

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

if (import.meta.main) writeFileSync(new URL('../docs/errors.md', import.meta.url), errorsPage())
