import { appendFileSync, truncateSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { jsonl } from '../../../src/sources.ts'
import { collect, inChunks, itemsOf, tempFile, testContext, untilError } from './support.ts'

describe('jsonl reads', () => {
  test.each([
    ['any JSON value', '{"a":1}\n[1]\n"x"\n1\nnull\nfalse\n', [{ a: 1 }, [1], 'x', 1, null, false]],
    ['CRLF', '1\r\n2\r\n', [1, 2]],
    ['a missing last line break', '1\n2', [1, 2]],
    ['blank lines', '\n1\n\n \t\r\n2\n\n', [1, 2]],
    ['a byte order mark', '\uFEFF1\n2', [1, 2]],
    ['a byte order mark and nothing else', '\uFEFF', []],
    ['an empty file', '', []],
    ['characters of several bytes', '"ä€𝄞"\n', ['ä€𝄞']],
    ['escaped line breaks', '"a\\nb"\n', ['a\nb']],
  ])('%s', async (_what, text, values) => {
    for (const size of [1, 2, 3, 64 * 1024]) expect(await itemsOf(jsonl(inChunks(text, size)))).toEqual(values)
  })

  test('a key named __proto__ as a key', async () => {
    const [value] = await itemsOf(jsonl(inChunks('{"__proto__":1}', 9)))
    expect(Object.keys(value as object)).toEqual(['__proto__'])
  })

  test('a line longer than many chunks', async () => {
    const long = 'x'.repeat(300_000)
    expect(await itemsOf(jsonl(tempFile(`"${long}"\n1\n`)))).toEqual([long, 1])
  })
})

test('the cursor of jsonl is the byte after the line, and its number', async () => {
  const items = await collect(jsonl(inChunks('\uFEFF"ä"\r\n\n2', 4)))
  expect(items.map(({ cursor }) => cursor)).toEqual([
    { byte: 9, line: 1 },
    { byte: 11, line: 3 },
  ])
})

test('jsonl counts its lines when it is told to, and only then', async () => {
  const text = '\uFEFF\n1\n\n \r\n"2"\n3'
  expect(await jsonl(inChunks(text, 4), { count: true }).count?.(testContext())).toBe(3)
  expect(jsonl(inChunks(text, 4)).count).toBeUndefined()
})

describe('jsonl refuses with HF_SOURCE_FORMAT, after the lines before it,', () => {
  test.each([
    ['what is no JSON', '1\n\n{"a":}\n3\n', 'line 3 (byte 3) is not JSON: '],
    ['a line that was not written to its end', '1\n{"a":', 'line 2 (byte 2) is not JSON: '],
    ['two values on a line', '1\n2 3\n', 'line 2 (byte 2) is not JSON: '],
    ['a byte that is not UTF-8', Buffer.from('1\n"\xE9"\n', 'latin1'), 'is not UTF-8: byte 3'],
    ['an array over several lines', '1\n[\n2]', 'line 2 (byte 2) is not JSON: '],
  ])('%s', async (_what, text, message) => {
    const { items, error } = await untilError(jsonl(inChunks(text, 5)))
    expect(error).toMatchObject({ code: 'HF_SOURCE_FORMAT', message: expect.stringContaining(message) })
    expect(items).toEqual([1])
  })

  test('a line longer than the limit, before it fills the memory', async () => {
    const endless = jsonl(
      async function* () {
        yield Buffer.from('1\n"')
        for (;;) yield Buffer.alloc(64 * 1024, 'x')
      },
      { maxLineBytes: 1024 * 1024 },
    )
    const { items, error } = await untilError(endless)
    expect(items).toEqual([1])
    expect(error).toMatchObject({
      code: 'HF_SOURCE_FORMAT',
      message: expect.stringContaining('line 2 is longer than 1048576 bytes'),
    })
  })
})

test('the schema of a line gives the items their form, and refuses with HF_ITEM', async () => {
  const line = z.object({ id: z.number(), tags: z.array(z.object({ name: z.string() })) })
  const { items, error } = await untilError(
    jsonl(inChunks('{"id":1,"tags":[]}\n{"id":2,"tags":[{"name":"x"},{"name":3}]}\n', 9), { line }),
  )
  expect(items).toEqual([{ id: 1, tags: [] }])
  expect(error).toMatchObject({ code: 'HF_ITEM' })
  expect(String(error)).toContain('jsonl stream: line 2 (byte 19) does not fit its schema: tags[1].name: ')
})

test('jsonl notices a file that became shorter, or whose last line was written on', async () => {
  const path = tempFile('1\n2\n3')
  const cursors = (await collect(jsonl(path))).map(({ cursor }) => cursor)
  expect(await itemsOf(jsonl(path), cursors[2])).toEqual([])
  appendFileSync(path, '4\n5\n')
  expect((await untilError(jsonl(path), cursors[2])).error).toMatchObject({ code: 'HF_SOURCE_CHANGED' })
  truncateSync(path, 2)
  expect((await untilError(jsonl(path), cursors[1])).error).toMatchObject({ code: 'HF_SOURCE_CHANGED' })
  expect(await itemsOf(jsonl(path), cursors[0])).toEqual([])
})
