import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Schema } from '../../src/tasks/schema.ts'
import { parseInput } from '../../src/tasks/validate.ts'

const task = (input: Schema | undefined) => ({ name: 'send-receipt', input })
const Receipt = z.object({
  orderId: z.string(),
  copies: z.number().default(1),
  paidAt: z.iso.datetime().transform((text) => new Date(text)),
})

/** A schema of nobody's library. */
const custom = (validate: Schema['~standard']['validate']): Schema => ({
  '~standard': { version: 1, vendor: 'test', validate },
})

describe('an input that fits', () => {
  test('is given parsed, at once when the schema answers at once', () => {
    expect(parseInput(task(Receipt), { orderId: '1', paidAt: '2026-01-02T03:04:05Z' })).toEqual({
      orderId: '1',
      copies: 1,
      paidAt: new Date('2026-01-02T03:04:05Z'),
    })
  })

  test('is given later when the schema takes its time', async () => {
    const parsed = parseInput(task(z.string().refine(async () => true)), 'x')
    expect(parsed).toBeInstanceOf(Promise)
    expect(await parsed).toBe('x')
  })

  test('is nothing at all for a task without a schema', () => {
    expect(parseInput(task(undefined), undefined)).toBeUndefined()
    expect(parseInput(task(undefined), null)).toBeUndefined()
  })
})

describe('an input that does not fit is HF_INPUT, with the task and the places', () => {
  const refused = (schema: Schema | undefined, raw: unknown, message: string) => {
    const parse = async () => parseInput(task(schema), raw)
    return expect(parse()).rejects.toMatchObject({ code: 'HF_INPUT', message: expect.stringContaining(message) })
  }

  test('one place', () =>
    refused(
      Receipt,
      { orderId: 1, paidAt: '2026-01-02T03:04:05Z' },
      'task send-receipt does not fit its schema: input.orderId: ',
    ))
  test('several places', () => refused(Receipt, { paidAt: 'today' }, '; input.paidAt: '))
  test('an item of a list, and a key that is no identifier', () => {
    const schema = z.object({ lines: z.array(z.object({ 'net total': z.number() })) })
    return refused(schema, { lines: [{ 'net total': 1 }, { 'net total': '2' }] }, 'input.lines[1]["net total"]: ')
  })
  test('the whole input', () => refused(z.string(), 5, 'schema: input: Invalid input'))
  test('more places than anybody reads', () => {
    const schema = z.array(z.string())
    return refused(schema, Array.from({ length: 1_000 }).fill(0), 'and 995 more')
  })
  test('an asynchronous schema', () =>
    refused(
      z.string().refine(async () => false, 'taken'),
      'x',
      'input: taken',
    ))
  test('given to a task that takes none', () => refused(undefined, { a: 1 }, 'takes no input, but was given an object'))
  test('a schema that throws', () =>
    refused(
      custom(() => {
        throw new TypeError('boom')
      }),
      'x',
      'The schema of task send-receipt threw on this input: boom',
    ))
  test('a schema that rejects', () =>
    refused(
      custom(async () => Promise.reject(null)),
      'x',
      'threw on this input: null',
    ))
  test('an issue of ten megabytes', async () => {
    const schema = custom(() => ({ issues: [{ message: 'x\0'.repeat(5_000_000), path: [{ key: 'a' }] }] }))
    const error = await Promise.resolve()
      .then(() => parseInput(task(schema), 'x'))
      .catch((thrown: Error) => thrown)
    expect((error as Error).message.length).toBeLessThan(1_000)
    expect((error as Error).message).not.toContain('\0')
  })
})
