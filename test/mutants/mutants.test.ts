import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { MUTANTS } from './mutants.ts'

const read = (statement: string) =>
  readFileSync(new URL(`../../src/store/sql/${statement}.sql`, import.meta.url), 'utf8')

test.for(MUTANTS)(
  '$statement without $without: what it takes away is still there, once',
  ({ statement, text, becomes }) => {
    expect(read(statement).split(text)).toHaveLength(2)
    expect(becomes).not.toBe(text)
  },
)
