import { describe, expect, test } from 'vitest'
import { array, batches, csv, iterable, jsonl, nested, pages, range, rows, throttled } from '../../../src/sources.ts'

const one = range(0, 1)
const sql = 'select id from t'

/** Code without types can pass anything, so every source looks at what it is given, at once and not when the job runs. */
const BAD: [what: string, make: () => unknown, message: string][] = [
  ['array of no array', () => array('abc' as never), 'The items of array() must be an array, not "abc"'],
  ['array of nothing', () => array(undefined as never), 'not undefined'],
  ['range from a fraction', () => range(0.5, 2), '`from` of range() must be a whole number'],
  ['range from NaN', () => range(Number.NaN, 2), 'not NaN'],
  ['range to Infinity', () => range(0, Number.POSITIVE_INFINITY), '`to` of range()'],
  ['range beyond 2^53', () => range(0, 2 ** 53), '`to` of range()'],
  ['range of texts', () => range('0' as never, 2), '`from` of range()'],
  ['range by 0', () => range(0, 2, 0), '`step` of range() must be a whole number other than 0'],
  ['range by half', () => range(0, 2, 0.5), '`step` of range()'],
  [
    'iterable of a number',
    () => iterable(5 as never),
    'The items of iterable() must be an iterable or a function, not 5',
  ],
  ['iterable of an object', () => iterable({} as never), 'not an object'],
  ['iterable of a text, whose letters nobody means', () => iterable('abc' as never), 'not "abc"'],
  ['pages without a function', () => pages({} as never), 'The argument of pages() must be a function'],
  ['batches of no source', () => batches([1] as never, 2), 'The source of batches() must be a source'],
  ['batches of 0', () => batches(one, 0), '`size` of batches() must be a whole number from 1 to 1000000, not 0'],
  ['batches of -1', () => batches(one, -1), 'not -1'],
  ['batches of NaN', () => batches(one, Number.NaN), 'not NaN'],
  ['batches of 1.5', () => batches(one, 1.5), 'not 1.5'],
  ['batches of a text', () => batches(one, '5' as never), 'not "5"'],
  ['batches without end', () => batches(one, 1e9), 'not 1000000000'],
  ['nested in no source', () => nested(undefined as never, () => one), 'The outer source of nested()'],
  ['nested without an inner function', () => nested(one, one as never), '`inner` of nested() must be a function'],
  [
    'nested with an innermost that is no function',
    () => nested(one, () => one, one as never),
    '`innermost` of nested()',
  ],
  ['throttled without a source', () => throttled(null as never, { limit: 1, per: '1s' }), 'The source of throttled()'],
  [
    'throttled without a limit',
    () => throttled(one, undefined as never),
    'throttled() must be an object, not undefined',
  ],
  ['throttled by 0', () => throttled(one, { limit: 0, per: '1s' }), '`limit` of throttled()'],
  ['throttled by NaN', () => throttled(one, { limit: Number.NaN, per: '1s' }), '`limit` of throttled()'],
  ['throttled per 0ms', () => throttled(one, { limit: 1, per: '0ms' }), '`per` of throttled()'],
  ['throttled per nothing', () => throttled(one, { limit: 1 } as never), '`per` of throttled()'],
  [
    'throttled per second, in words',
    () => throttled(one, { limit: 1, per: 'second' as never }),
    '`per` of throttled()',
  ],
  [
    'throttled while no function',
    () => throttled(one, { while: true as never }),
    '`while` of throttled() must be a function',
  ],
  ['throttled with every 0ms', () => throttled(one, { while: () => false, every: '0ms' }), '`every` of throttled()'],
  [
    'throttled both ways',
    () => throttled(one, { while: () => false, limit: 1, per: '1s' } as never),
    'throttled() has no option "limit"',
  ],
  ['csv of nothing', () => csv('' as never), 'The file of csv() must be a path, a file: URL or a function'],
  ['csv of a number', () => csv(7 as never), 'not 7'],
  ['csv of a path with NUL', () => csv('a\0b'), 'The file of csv()'],
  [
    'csv of a web address',
    () => csv('https://x.example/a.csv'),
    'a function that opens a stream at an offset, not "https://x.example/a.csv"',
  ],
  ['csv of a web URL', () => csv(new URL('https://x.example/a.csv')), 'not "https://x.example/a.csv"'],
  ['csv with an empty delimiter', () => csv('x', { delimiter: '' }), '`delimiter` of csv()'],
  [
    'csv with two quotes as delimiter',
    () => csv('x', { delimiter: '""' }),
    '`delimiter` of csv() must be text without the quote and without line breaks',
  ],
  ['csv with a line break as delimiter', () => csv('x', { delimiter: '\n' }), '`delimiter` of csv()'],
  ['csv with a regular expression as delimiter', () => csv('x', { delimiter: /,/ as never }), 'not a RegExp'],
  ['csv with two quotes as quote', () => csv('x', { quote: '""' }), '`quote` of csv() must be one character or false'],
  ['csv with an empty quote', () => csv('x', { quote: '' }), '`quote` of csv()'],
  ['csv with its quote as delimiter', () => csv('x', { quote: ',' }), '`delimiter` of csv()'],
  [
    'csv with no columns',
    () => csv('x', { columns: [] }),
    '`columns` of csv() must be a list of different, non-empty names, but there is no name',
  ],
  ['csv with two columns of one name', () => csv('x', { columns: ['a', 'a'] }), 'two columns are named "a"'],
  ['csv with an unnamed column', () => csv('x', { columns: ['a', ''] }), 'column 2 has no name'],
  ['csv with a number as column', () => csv('x', { columns: [1] as never }), '`columns` of csv()'],
  ['csv with a limit of 0', () => csv('x', { maxRecordBytes: 0 }), '`maxRecordBytes` of csv()'],
  [
    'csv with a schema that is none',
    () => csv('x', { row: {} as never }),
    '`row` of csv() must be a schema that follows Standard Schema',
  ],
  [
    'csv with a misspelt option',
    () => csv('x', { delimeter: ';' } as never),
    'csv() has no option "delimeter". Did you mean \'delimiter\'?',
  ],
  ['csv with options that are none', () => csv('x', ';' as never), 'csv() must be an object, not ";"'],
  ['jsonl of nothing', () => jsonl(undefined as never), 'The file of jsonl()'],
  ['jsonl with a limit of -1', () => jsonl('x', { maxLineBytes: -1 }), '`maxLineBytes` of jsonl()'],
  ['jsonl with a schema that is none', () => jsonl('x', { line: 'string' as never }), '`line` of jsonl()'],
  ['rows of no text', () => rows({} as never, { key: 'id' }), 'The query of rows() must be SQL, not an object'],
  ['rows of nothing', () => rows(' -- nothing\n;', { key: 'id' }), 'The query of rows() is empty'],
  [
    'rows of two statements',
    () => rows('select 1; drop table t', { key: 'id' }),
    'The query of rows() holds several statements',
  ],
  [
    'rows of an open string',
    () => rows("select 'a", { key: 'id' }),
    'a quote or comment that is never closed, at character 8',
  ],
  ['rows without options', () => rows(sql, undefined as never), 'rows() must be an object'],
  ['rows without a key', () => rows(sql, {} as never), '`key` of rows() must be the name of a column'],
  ['rows with an empty key', () => rows(sql, { key: [] }), '`key` of rows()'],
  ['rows with an empty name in the key', () => rows(sql, { key: ['id', ''] }), '`key` of rows()'],
  ['rows with one column twice in the key', () => rows(sql, { key: ['id', 'id'] }), '`key` of rows()'],
  ['rows with NUL in the key', () => rows(sql, { key: 'i\0d' }), '`key` of rows()'],
  [
    'rows in no direction',
    () => rows(sql, { key: 'id', direction: 'up' as never }),
    '`direction` of rows() must be one of asc, desc, not "up"',
  ],
  ['rows in pages of 0', () => rows(sql, { key: 'id', pageSize: 0 }), '`pageSize` of rows()'],
  ['rows in endless pages', () => rows(sql, { key: 'id', pageSize: 1e9 }), '`pageSize` of rows()'],
  [
    'rows with params that are none',
    () => rows(sql, { key: 'id', params: 5 as never }),
    '`params` of rows() must be an array',
  ],
  [
    'rows with too few params',
    () => rows('select $2::int as id', { key: 'id', params: [1] }),
    'The query of rows() uses $2, but `params` has 1 values',
  ],
  [
    'rows with params that the query does not use',
    () => rows('select $1::int as id', { key: 'id', params: [1, 2] }),
    'does not use $2',
  ],
  ['rows with parameter 0', () => rows('select $0 as id', { key: 'id' }), 'The query of rows() uses $0'],
]

describe('refused where it is written, with HF_CONFIG or HF_DURATION and the name of the option', () => {
  test.each(BAD)('%s', (_what, make, message) => {
    let error: { code?: string; message?: string } = {}
    try {
      make()
    } catch (thrown) {
      error = thrown as typeof error
    }
    expect(error.code).toMatch(/^HF_(CONFIG|DURATION)$/)
    expect(error.message).toContain(message)
  })
})
