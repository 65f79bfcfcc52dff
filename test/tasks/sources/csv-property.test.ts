import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { csv, jsonl } from '../../../src/sources.ts'
import { collect, inChunks, itemsOf } from './support.ts'

/** Fields made of what is hard: quotes, delimiters, line breaks, byte order marks, characters of one to four bytes. */
const piece = fc.constantFrom(
  'a',
  'B',
  '"',
  ',',
  '\n',
  '\r',
  '\r\n',
  ' ',
  'ä',
  '€',
  '𝄞',
  '\uFEFF',
  '\0',
  "'",
  '\\',
  '0',
)
const field = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''))
const lineBreak = fc.constantFrom('\n', '\r\n', '\r')

interface Table {
  readonly text: string
  readonly rows: Record<string, string>[]
}

/** A table, and one of the many ways to write it as CSV. */
const table: fc.Arbitrary<Table> = fc
  .tuple(fc.integer({ min: 1, max: 3 }), fc.boolean())
  .chain(([width, bom]) =>
    fc.record({
      width: fc.constant(width),
      bom: fc.constant(bom),
      rows: fc.array(
        fc.record({
          fields: fc.array(fc.tuple(field, fc.boolean()), { minLength: width, maxLength: width }),
          end: lineBreak,
          blank: fc.array(lineBreak, { maxLength: 2 }),
        }),
        { maxLength: 6 },
      ),
      lastBreak: fc.boolean(),
    }),
  )
  .map(({ width, bom, rows, lastBreak }) => {
    const names = Array.from({ length: width }, (_, index) => `c${index}`)
    let text = `${bom ? '\uFEFF' : ''}${names.join(',')}\n`
    for (const [index, { fields, end, blank }] of rows.entries()) {
      text += fields.map(([value, quoted]) => (quoted || needsQuotes(value, width) ? quote(value) : value)).join(',')
      text += index === rows.length - 1 && !lastBreak ? '' : end + blank.join('')
    }
    const objects = rows.map(({ fields }) => Object.fromEntries(fields.map(([value], at) => [names[at]!, value])))
    return { text, rows: objects }
  })

function needsQuotes(value: string, width: number): boolean {
  return /[",\r\n]/.test(value) || (value === '' && width === 1)
}

function quote(value: string): string {
  return `"${value.replaceAll('"', '""')}"`
}

describe('for any CSV text, in chunks of any size', () => {
  test('the rows come out as they were written', async () => {
    await fc.assert(
      fc.asyncProperty(table, fc.integer({ min: 1, max: 40 }), async ({ text, rows }, size) => {
        expect(await itemsOf(csv(inChunks(text, size)))).toEqual(rows)
      }),
      { numRuns: 300 },
    )
  })

  test('a resume at every border of two records gives the rest, with the same cursors', async () => {
    await fc.assert(
      fc.asyncProperty(
        table,
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        async ({ text }, size, later) => {
          const whole = await collect(csv(inChunks(text, size)))
          for (const [index, { cursor }] of whole.entries()) {
            expect(await collect(csv(inChunks(text, later)), cursor)).toEqual(whole.slice(index + 1))
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  test('line numbers are those of an editor', async () => {
    await fc.assert(
      fc.asyncProperty(table, async ({ text }) => {
        for (const { cursor } of await collect(csv(inChunks(text, 16)))) {
          const { byte, line } = cursor as { byte: number; line: number }
          const before = Buffer.from(text).subarray(0, byte).toString()
          const breaks = before.match(/\r\n|\n|\r/g)?.length ?? 0
          expect(line).toBe(/[\r\n]$/.test(before) ? breaks : breaks + 1)
        }
      }),
      { numRuns: 300 },
    )
  })
})

describe('for any JSON lines, in chunks of any size', () => {
  const lines = fc.array(fc.tuple(fc.jsonValue(), fc.constantFrom('\n', '\r\n', '\n\n', '\n  \n')), { maxLength: 8 })

  test('a resume at every border of two lines gives the rest, with the same cursors', async () => {
    await fc.assert(
      fc.asyncProperty(lines, fc.integer({ min: 1, max: 40 }), fc.boolean(), async (values, size, lastBreak) => {
        const text = values
          .map(([value, end], index) => JSON.stringify(value) + (index === values.length - 1 && !lastBreak ? '' : end))
          .join('')
        const whole = await collect(jsonl(inChunks(text, size)))
        expect(whole.map(({ item }) => JSON.stringify(item))).toEqual(values.map(([value]) => JSON.stringify(value)))
        for (const [index, { cursor }] of whole.entries()) {
          expect(await collect(jsonl(inChunks(text, 1 + ((size * 7) % 40))), cursor)).toEqual(whole.slice(index + 1))
        }
      }),
      { numRuns: 300 },
    )
  })
})
