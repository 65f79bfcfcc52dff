import { appendFileSync, truncateSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type CsvOptions, csv } from '../../../src/sources.ts'
import { collect, inChunks, itemsOf, tempFile, testContext, untilError } from './support.ts'

const parse = (text: string | Uint8Array, options?: CsvOptions) => itemsOf(csv(inChunks(text, 7), options))

describe('csv reads', () => {
  test.each([
    ['an empty field at each end', 'a,b,c\n,x,\n', [{ a: '', b: 'x', c: '' }]],
    ['quoted commas, quotes and line breaks', 'a,b\n"x, ""y""","1\n2"\n', [{ a: 'x, "y"', b: '1\n2' }]],
    ['CRLF', 'a,b\r\n1,2\r\n', [{ a: '1', b: '2' }]],
    ['CR, as old Macs wrote', 'a,b\r1,2\r', [{ a: '1', b: '2' }]],
    ['LF, CRLF and CR in one file', 'a\r\n1\n2\r3', [{ a: '1' }, { a: '2' }, { a: '3' }]],
    ['CR CR LF, which a double conversion leaves', 'a\r\r\n1\r\r\n2', [{ a: '1' }, { a: '2' }]],
    ['a missing last line break', 'a\n1', [{ a: '1' }]],
    ['empty lines anywhere', '\n\na\n\n1\r\n\r\n2\n\n', [{ a: '1' }, { a: '2' }]],
    ['a quoted empty field, which is no empty line', 'a\n""\n1', [{ a: '' }, { a: '1' }]],
    ['a byte order mark', '\uFEFFa\n1', [{ a: '1' }]],
    ['a byte order mark before a quote', '\uFEFF"a"\n1', [{ a: '1' }]],
    ['a byte order mark inside the file as a character', 'a\n\uFEFF1', [{ a: '\uFEFF1' }]],
    ['characters of two, three and four bytes', 'ä,€\n𝄞,💶\n', [{ ä: '𝄞', '€': '💶' }]],
    ['spaces as they are', ' a,b \n x , y\n', [{ ' a': ' x ', 'b ': ' y' }]],
    ['names that objects have by themselves', 'constructor,toString\n1,2', [{ constructor: '1', toString: '2' }]],
    ['a header without rows', 'a,b\n', []],
  ])('%s', async (_what, text, rows) => {
    for (const size of [1, 2, 3, 64 * 1024]) expect(await itemsOf(csv(inChunks(text, size)))).toEqual(rows)
  })

  test('another delimiter, of several characters too', async () => {
    expect(await parse('a;b\n1;"2;3"', { delimiter: ';' })).toEqual([{ a: '1', b: '2;3' }])
    expect(await parse('a||b\n1|||2', { delimiter: '||' })).toEqual([{ a: '1', b: '|2' }])
    expect(await parse('a¦b\n1¦2', { delimiter: '¦' })).toEqual([{ a: '1', b: '2' }])
  })

  test('tab-separated text in which quotes are ordinary characters', async () => {
    expect(await parse('a\tb\n6" pipe\t"x\n', { delimiter: '\t', quote: false })).toEqual([{ a: '6" pipe', b: '"x' }])
  })

  test('another quote', async () => {
    expect(await parse("a,b\n'1,''2',\"3\n", { quote: "'" })).toEqual([{ a: "1,'2", b: '"3' }])
  })

  test('a file without a header line', async () => {
    expect(await parse('1,2\n3,4', { columns: ['a', 'b'] })).toEqual([
      { a: '1', b: '2' },
      { a: '3', b: '4' },
    ])
  })

  test('a path, a file: URL and the URL as text', async () => {
    const path = tempFile('a\n1\n', 'späces & #.csv')
    const url = pathToFileURL(path)
    for (const file of [path, url, url.href]) expect(await itemsOf(csv(file))).toEqual([{ a: '1' }])
    expect(csv(url).name).toBe(`csv ${path}`)
  })

  test('an empty file: no rows, and a warning', async () => {
    const context = testContext()
    expect(await itemsOf(csv(inChunks('', 1)), undefined, context)).toEqual([])
    expect(await itemsOf(csv(inChunks('\uFEFF\n\n', 1)), undefined, context)).toEqual([])
    expect(context.warnings).toEqual([
      'csv stream is empty: it has not even a header line',
      'csv stream is empty: it has not even a header line',
    ])
  })
})

describe('the cursor of csv', () => {
  test('is the byte after the row, with what messages need', async () => {
    const items = await collect(csv(inChunks('\uFEFFä\r\n"1\r\n"\r\n\r\n2', 4)))
    const header = items[0]!.cursor as { header: string }
    expect(items.map(({ cursor }) => cursor)).toEqual([
      { byte: 14, line: 3, record: 1, header: header.header },
      { byte: 17, line: 5, record: 2, header: header.header },
    ])
    expect(header.header).toMatch(/^[0-9a-f]{8}$/)
  })

  test('makes a resume read from there on: the header, then one byte before the row', async () => {
    const opened: number[] = []
    const text = `n\n${Array.from({ length: 1_000 }, (_, n) => `${n}\n`).join('')}`
    const source = csv((offset) => {
      opened.push(offset)
      return inChunks(text, 16)(offset)
    })
    const { cursor } = (await collect(source))[990]!
    opened.length = 0
    expect(await itemsOf(source, cursor)).toEqual(Array.from({ length: 9 }, (_, n) => ({ n: `${991 + n}` })))
    expect(opened).toEqual([0, (cursor as { byte: number }).byte - 1])
  })

  test('needs no header where the columns are given', async () => {
    const [first] = await collect(csv(inChunks('1\n2\n', 2), { columns: ['a'] }))
    expect(first!.cursor).toEqual({ byte: 2, line: 1, record: 1 })
  })

  test('goes on in a file that has grown', async () => {
    const path = tempFile('a\n1\n')
    const { cursor } = (await collect(csv(path))).at(-1)!
    expect(await itemsOf(csv(path), cursor)).toEqual([])
    appendFileSync(path, '2\n')
    expect(await itemsOf(csv(path), cursor)).toEqual([{ a: '2' }])
  })
})

test('csv counts its rows when it is told to, and only then', async () => {
  const text = 'a\n1\n\n"2\n3"\n4'
  expect(await csv(inChunks(text, 4), { count: true }).count?.(testContext())).toBe(3)
  expect(await csv(inChunks(text, 4), { count: true, columns: ['a'] }).count?.(testContext())).toBe(4)
  expect(await csv(inChunks('', 4), { count: true }).count?.(testContext())).toBe(0)
  expect(csv(inChunks(text, 4)).count).toBeUndefined()
})

describe('csv notices that its file has changed', () => {
  const setUp = async () => {
    const path = tempFile('a,b\n1,x\n2,y\n3,z')
    const items = await collect(csv(path))
    return { path, cursor: (row: number) => items[row - 1]!.cursor }
  }
  const resume = (path: string, cursor: unknown) => untilError(csv(path), cursor)

  test('it is shorter than the cursor', async () => {
    const { path, cursor } = await setUp()
    truncateSync(path, 9)
    const { error } = await resume(path, cursor(2))
    expect(error).toMatchObject({
      code: 'HF_SOURCE_CHANGED',
      message: expect.stringContaining('read up to byte 12, but it is shorter'),
    })
  })

  test('no line ends at the cursor any more', async () => {
    const { path, cursor } = await setUp()
    writeFileSync(path, 'a,b\n1,xxxxxxxxx\n2,y\n')
    expect((await resume(path, cursor(2))).error).toMatchObject({
      code: 'HF_SOURCE_CHANGED',
      message: expect.stringContaining('no line ends there'),
    })
  })

  test('text was put behind the last row, which had no line break', async () => {
    const { path, cursor } = await setUp()
    appendFileSync(path, 'zz\n4,a\n')
    expect((await resume(path, cursor(3))).error).toMatchObject({ code: 'HF_SOURCE_CHANGED' })
  })

  test('the header line is another one', async () => {
    const { path, cursor } = await setUp()
    writeFileSync(path, 'b,a\n1,x\n2,y\n3,z')
    expect((await resume(path, cursor(1))).error).toMatchObject({
      code: 'HF_SOURCE_CHANGED',
      message: expect.stringContaining('another header line'),
    })
  })
})

describe('csv refuses with HF_SOURCE_FORMAT, after the rows before it,', () => {
  test.each([
    ['a row with too few fields', 'a,b\n1,2\n3\n', 1, 'record 2, line 3 (byte 8), has 1 field instead of 2'],
    [
      'a row with too many fields',
      'a\n1\n"x\r\ny"\n\n1,2\n',
      2,
      'record 3, line 6 (byte 11), has 2 fields instead of 1',
    ],
    [
      'text after a closing quote',
      'a\n1\n"2"x\n',
      1,
      'record 2, which begins after line 2 (byte 4), has text after a closing quote',
    ],
    [
      'a quote inside a plain field',
      'a\n1\n2"x\n',
      1,
      'record 2, which begins after line 2 (byte 4), has a quote inside a field',
    ],
    [
      'a quote that is never closed',
      'a\n1\n"2\n3\n4\n',
      1,
      'record 2, which begins after line 2 (byte 4), has a quote that is never closed',
    ],
    ['a column without a name', 'a,,c\n1,2,3', 0, 'column 2 has no name'],
    ['two columns of one name', 'a,b,a\n1,2,3', 0, 'two columns are named "a"'],
    ['a column named __proto__', '__proto__\n1', 0, 'column 1 is named __proto__'],
    ['a gzip file', Buffer.from([0x1f, 0x8b, 8, 0]), 0, 'compressed with gzip'],
    ['a workbook', 'PK\u0003\u0004abc', 0, 'zip archive'],
    ['UTF-16, little end first', Buffer.from('\uFEFFa\n1', 'utf16le'), 0, 'UTF-16'],
    ['UTF-16, big end first', Buffer.from('\uFEFFa\n1', 'utf16le').swap16(), 0, 'UTF-16'],
    ['a byte that is not UTF-8', Buffer.from('a\nx\ny\xE9z\n', 'latin1'), 1, 'not UTF-8: byte 5 does not belong there'],
    [
      'half a character at the end',
      Buffer.from('a\nx\n€').subarray(0, -1),
      1,
      'not UTF-8: byte 4 does not belong there',
    ],
  ])('%s', async (_what, text, rowsBefore, message) => {
    for (const size of [4, 5, 64 * 1024]) {
      const { items, error } = await untilError(csv(inChunks(text, size)))
      expect(error).toMatchObject({ code: 'HF_SOURCE_FORMAT', message: expect.stringContaining(message) })
      expect(items).toHaveLength(rowsBefore)
    }
  })

  test('names the same place after a resume', async () => {
    const text = 'a\n1\n"2\r\n"\n3\n4,4\n'
    const whole = await untilError(csv(inChunks(text, 5)))
    const [first] = await collect(csv(inChunks(text.slice(0, 4), 5)))
    const resumed = await untilError(csv(inChunks(text, 5)), first!.cursor)
    expect(String(whole.error)).toContain('record 4, line 6 (byte 12)')
    expect(String(resumed.error)).toBe(String(whole.error))
  })

  test('a record longer than the limit, before it fills the memory', async () => {
    const endless = csv(
      async function* () {
        yield Buffer.from('a\n1\n"')
        for (;;) yield Buffer.alloc(64 * 1024, 'x')
      },
      { maxRecordBytes: 1024 * 1024 },
    )
    const { items, error } = await untilError(endless)
    expect(items).toEqual([{ a: '1' }])
    expect(error).toMatchObject({
      code: 'HF_SOURCE_FORMAT',
      message: expect.stringContaining('longer than 1048576 bytes'),
    })
  })

  test('a stream of strings, on which bytes cannot be counted', async () => {
    const text = (() =>
      (async function* () {
        yield 'a\n1\n'
      })()) as unknown as () => AsyncIterable<Uint8Array>
    expect((await untilError(csv(text))).error).toMatchObject({
      code: 'HF_SOURCE_FORMAT',
      message: expect.stringContaining('set no encoding'),
    })
  })
})

describe('the schema of a row', () => {
  const Order = z.object({ id: z.coerce.number().int(), total: z.string().min(1), tags: z.string().optional() })

  test('gives the items their form', async () => {
    const orders: { id: number }[] = await itemsOf(csv(inChunks('id,total\n1,9.50\n', 8), { row: Order }))
    expect(orders).toEqual([{ id: 1, total: '9.50' }])
  })

  test('may be asynchronous', async () => {
    const row = z.object({ id: z.string() }).transform(async ({ id }) => Number(id))
    expect(await itemsOf(csv(inChunks('id\n1\n2\n', 8), { row }))).toEqual([1, 2])
  })

  test('refuses a row with HF_ITEM: file, record, line, byte and the place in the row', async () => {
    const path = tempFile('id,total\n1,9.50\n"2",""\nx,\n', 'orders.csv')
    const { items, last, error } = await untilError(csv(path, { row: Order }))
    expect(items).toEqual([{ id: 1, total: '9.50' }])
    expect(error).toMatchObject({ code: 'HF_ITEM' })
    expect(String(error)).toContain(`csv ${path}: record 2, line 3 (byte 16), does not fit its schema: total: `)
    const retried = await untilError(csv(path, { row: Order }), last)
    expect(String(retried.error)).toBe(String(error))
  })
})

describe('a file that cannot be read', () => {
  test.each([
    ['is not there', '/nowhere/orders.csv', 'ENOENT'],
    ['is a folder', '/', 'EISDIR'],
  ])('%s: HF_SOURCE_READ with the reason', async (_what, path, reason) => {
    const { error } = await untilError(csv(path))
    expect(error).toMatchObject({
      code: 'HF_SOURCE_READ',
      message: expect.stringContaining(reason),
      cause: { code: reason },
    })
  })

  test('what a stream function throws is left as it is', async () => {
    const failure = new Error('403 from the object store')
    const failing = async (): Promise<AsyncIterable<Uint8Array>> => {
      throw failure
    }
    expect((await untilError(csv(failing))).error).toBe(failure)
  })
})
