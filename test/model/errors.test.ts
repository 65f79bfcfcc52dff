import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { errorsPage } from '../../scripts/build-docs.ts'
import { ERRORS, type ErrorCode, HoldfastError, isHoldfastError } from '../../src/model/errors.ts'

const root = new URL('../../', import.meta.url)

describe('the table of errors', () => {
  test('is in alphabetical order', () => {
    expect(Object.keys(ERRORS)).toEqual(Object.keys(ERRORS).toSorted())
  })

  test.each(Object.entries(ERRORS))('%s has a cause and a cure, each a sentence', (code, { cause, cure }) => {
    expect(code).toMatch(/^HF_[A-Z]+(_[A-Z]+)*$/)
    for (const text of [cause, cure]) {
      expect(text.length, text).toBeGreaterThan(20)
      expect(text, text).toMatch(/^[A-Z].*\.$/s)
    }
  })

  test('docs/errors.md is up to date: run `node scripts/build-docs.ts`', () => {
    expect(readFileSync(new URL('docs/errors.md', root), 'utf8')).toBe(errorsPage())
  })

  test('every code named in src is in the table', () => {
    const sources = readdirSync(new URL('src/', root), { recursive: true, encoding: 'utf8' }).filter((file) =>
      /\.(ts|sql)$/.test(file),
    )
    const unknown = sources.flatMap((file) => {
      const codes = readFileSync(new URL(`src/${file}`, root), 'utf8').match(/\bHF_[A-Z_]*[A-Z]\b/g) ?? []
      return codes.filter((code) => !(code in ERRORS)).map((code) => `${file}: ${code}`)
    })
    expect(sources.length).toBeGreaterThan(10)
    expect(unknown).toEqual([])
  })
})

describe('HoldfastError', () => {
  const error = new HoldfastError('HF_NAME', 'No such name', { cause: 'why' })

  test('carries its code, its cause and its cure', () => {
    expect(error).toMatchObject({
      name: 'HoldfastError',
      code: 'HF_NAME',
      cause: 'why',
      message: 'No such name [HF_NAME]',
    })
    expect(error.cure).toBe(ERRORS.HF_NAME.cure)
  })

  test.each<[unknown, ErrorCode | undefined, boolean]>([
    [error, undefined, true],
    [error, 'HF_NAME', true],
    [error, 'HF_INPUT', false],
    [new Error('x'), undefined, false],
    [undefined, undefined, false],
  ])('isHoldfastError(%s, %s) is %s', (value, code, expected) => {
    expect(isHoldfastError(value, code)).toBe(expected)
  })
})
