import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'

const SQL = path.join(import.meta.dirname, '../../../src/store/sql')
/** Statements that people look through: reads only, off the path of every job. Their tests are beside their functions. */
const REPORTS = /^(count|health|list|show)_(?!parts$)|^show_/

const statements = readdirSync(SQL)
  .filter((file) => file.endsWith('.sql'))
  .map((file) => ({ name: file.slice(0, -'.sql'.length), text: readFileSync(path.join(SQL, file), 'utf8') }))
const contracts = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.test.ts'))

describe.for(statements)('$name', ({ name, text }) => {
  const header = text.slice(0, text.search(/^(?!--)/m))
  const body = text.slice(header.length)
  const numbers = [...body.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number))
  const most = Math.max(0, ...numbers)

  test('says what it does, and ends in one statement', () => {
    expect(header).toMatch(/^-- [A-Z].*[.:]/)
    expect(body.replaceAll(/'[^']*'/g, '')).not.toContain(';')
  })

  test('names its parameters, every one', () => {
    const named = header.match(/^-- params: [\s\S]*?(?=^-- \w+:|(?![\s\S]))/m)?.[0] ?? ''
    const shared = /as (\w+)\.sql up to \$(\d+)/.exec(named)
    const known = new Set([...named.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number)))
    for (let number = 1; number <= Number(shared?.[2] ?? 0); number++) known.add(number)
    const wanted = Array.from({ length: most }, (_, index) => index + 1)
    expect(wanted.filter((number) => !known.has(number))).toEqual([])
  })

  test('says what it returns, if it returns rows', () => {
    if (/^\s*select\b|\breturning\b/i.test(lastPart(body))) expect(header).toMatch(/^-- returns: /m)
  })

  if (REPORTS.test(name)) return
  test('has a contract test', () => {
    expect(contracts).toContain(`${name}.test.ts`)
  })
})

test('every contract test has its statement', () => {
  const names = statements.map(({ name }) => `${name}.test.ts`)
  expect(contracts.filter((file) => file !== 'headers.test.ts' && !names.includes(file))).toEqual([])
})

/** The statement after its CTEs. */
function lastPart(body: string): string {
  let depth = 0
  let last = 0
  for (let at = 0; at < body.length; at++) {
    if (body[at] === '(') depth++
    else if (body[at] === ')' && --depth === 0 && /^\)\s*\n(?=\w)/.test(body.slice(at))) last = at + 1
  }
  return body.slice(last)
}
