import { describe, expect, test } from 'vitest'
import { readSelect } from '../../src/store/select-text.ts'

const read = (sql: string) => {
  const { text, params } = readSelect(sql, 'It')
  return { text, params: [...params] }
}

describe('readSelect finds the end and the parameters of', () => {
  test.each([
    ['a plain select', 'select 1', 'select 1', []],
    ['final semicolons', 'select 1 ; ; ', 'select 1 ', []],
    ['a comment after the semicolon', 'select 1;--x;\n/*;*/', 'select 1', []],
    ['parameters', 'select $2, $1, $1', 'select $2, $1, $1', [2, 1]],
    ['parameters with a cast', 'select $1::int', 'select $1::int', [1]],
    ['strings', `select '$1;''$2;', "$3;""$4;"`, `select '$1;''$2;', "$3;""$4;"`, []],
    ['escape strings', String.raw`select e'\'$1;', E'\\', $2`, String.raw`select e'\'$1;', E'\\', $2`, [2]],
    ['strings after names that end in e', String.raw`select date'\', $1`, String.raw`select date'\', $1`, [1]],
    ['dollar quotes', 'select $$;$1$$, $a$;$$;$2$a$, $3', 'select $$;$1$$, $a$;$$;$2$a$, $3', [3]],
    ['names with dollars', 'select a$1, ä$2, $3', 'select a$1, ä$2, $3', [3]],
    ['nested comments', 'select /* ; /* $1 */ ; */ $2', 'select /* ; /* $1 */ ; */ $2', [2]],
    ['line comments', 'select $1 -- $2;\n, $3', 'select $1 -- $2;\n, $3', [1, 3]],
    ['operators made of minus and slash', 'select 1 - -$1 / $2', 'select 1 - -$1 / $2', [1, 2]],
  ])('%s', (_what, sql, text, params) => {
    expect(read(sql)).toEqual({ text, params })
  })

  test('a string of ten megabytes', () => {
    expect(read(`select '${'x'.repeat(1e7)}', $1`).params).toEqual([1])
  })
})

describe('readSelect refuses with HF_CONFIG', () => {
  test.each([
    ['nothing', '', 'is empty'],
    ['a comment only', '/* */ -- ;', 'is empty'],
    ['two statements', 'select 1; select 2', 'several statements'],
    ['an open string', "select 'a''", 'never closed, at character 8'],
    ['an open name', 'select "a', 'never closed, at character 8'],
    ['an open escape string', String.raw`select e'\'`, 'never closed'],
    ['an open dollar quote', 'select $a$ $$', 'never closed, at character 8'],
    ['an open comment', 'select /* /* */', 'never closed, at character 8'],
  ])('%s', (_what, sql, message) => {
    expect(() => read(sql)).toThrow(
      expect.objectContaining({ code: 'HF_CONFIG', message: expect.stringContaining(message) }),
    )
  })
})
