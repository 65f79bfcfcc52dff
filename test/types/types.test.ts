import { execFile } from 'node:child_process'
import { globSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { writePrograms } from '../support/pages.ts'

const here = import.meta.dirname
const root = join(here, '../..')
const tsc = join(root, 'node_modules/.bin/tsc')

interface Finding {
  readonly code: string
  /** All lines of the message: what the reader needs often stands in the last one. */
  message: string
}

/** Type-checks one folder, once; the compiler's output, without colours. */
function check(folder: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const args = ['--project', join(here, folder), '--pretty', 'false']
    execFile(tsc, args, { cwd: here, timeout: 60_000, maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') reject(new Error(`tsc did not run: ${error.message}\n${stderr}`))
      else resolve(stdout)
    })
  })
}

function findings(output: string): Map<string, Finding[]> {
  const found = new Map<string, Finding[]>()
  let last: Finding | undefined
  for (const line of output.split('\n')) {
    const head = /^(.+)\((\d+),\d+\): error (TS\d+): (.*)$/.exec(line)
    if (head) {
      last = { code: head[3]!, message: head[4]! }
      const place = `${head[1]}:${head[2]}`
      found.set(place, [...(found.get(place) ?? []), last])
    } else if (last) last.message += `\n${line}`
  }
  return found
}

/** Every `ts` block of the README and the guide that says it is a program must compile as it stands. */
async function writeDocumentedPrograms(): Promise<string[]> {
  for (const old of globSync('right/doc-*', { cwd: here })) rmSync(join(here, old), { recursive: true })
  const pages = ['README.md', ...globSync('docs/guide/*.md', { cwd: root })]
  const written = await Promise.all(
    pages.map(async (page) => ((await writePrograms(page, join(here, 'right'))).length > 0 ? [page] : [])),
  )
  return written.flat()
}

test('the programs of right/, the README and the guide compile, and every type in them is the one that they claim', async () => {
  const pages = await writeDocumentedPrograms()
  expect(pages).toContain('README.md')
  expect(pages).toContain('docs/guide/sources.md')
  expect(await check('right')).toBe('')
})

describe('the programs of wrong/ are refused with the message that helps', async () => {
  const refused = findings(await check('wrong'))

  for (const file of readdirSync(join(here, 'wrong')).filter((name) => name.endsWith('.ts'))) {
    const lines = readFileSync(join(here, 'wrong', file), 'utf8').split('\n')
    let expected: RegExpExecArray | null = null
    lines.forEach((line, index) => {
      const place = `wrong/${file}:${index + 1}`
      const expectation = /^\/\* expect (TS\d+): (.+) \*\/$/.exec(line)
      if (expectation) {
        expected = expectation
        return
      }
      if (/^(import |const |\/\/|$)/.test(line)) return

      const [, code, fragment] = expected ?? []
      expected = null
      test(`${place} ${line}`, () => {
        expect(code, 'each wrong line stands under a comment that says what to expect').toBeDefined()
        const errors = refused.get(place) ?? []
        refused.delete(place)
        expect(errors.map((error) => error.code)).toEqual([code])
        expect(errors[0]!.message).toContain(fragment)
      })
    })
  }

  test('nothing else in them is refused', () => {
    expect([...refused]).toEqual([])
  })
})
