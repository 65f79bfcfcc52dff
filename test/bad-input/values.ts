import { expect } from 'vitest'
import { z } from 'zod'
import { holdfast } from '../../src/index.ts'
import type { Stage } from '../support/stage.ts'
import { carried, type Row, refused } from './rows.ts'
import type { Yard } from './yard.ts'

/** Rows about what an input holds. */
export const VALUES: readonly Row[] = [
  {
    input: 'NUL character in a string',
    async check(yard) {
      await refused(yard, { list: [{}, { name: 'a\0b' }] }, 'HF_INPUT', 'input.list[1].name contains a NUL')
      await refused(yard, { 'a\0b': 1 }, 'HF_INPUT', 'NUL')
      await carried(yard, { text: String.raw`a\u0000b and a\\u0000b`, control: '\u0001\u001f' })
    },
  },
  {
    input: 'lone surrogate',
    async check(yard) {
      await refused(yard, { name: '\ud800' }, 'HF_INPUT', 'input.name contains half of a surrogate pair')
      await refused(yard, ['x', 'a\udc00b'], 'HF_INPUT', 'input[1]')
      await carried(yard, { text: '😀 \u{10ffff} \ufffd é', escaped: String.raw`\ud800` })
    },
  },
  {
    input: 'payload size',
    async check(yard, stage) {
      const most = 256 * 1024
      await carried(yard, 'x'.repeat(most - 2))
      await refused(yard, 'x'.repeat(most - 1), 'HF_INPUT_TOO_LARGE', `more than ${most} bytes`)
      // Bytes count, not characters.
      await refused(yard, { text: 'é'.repeat(150_000) }, 'HF_INPUT_TOO_LARGE', `the limit \`maxInputBytes\` is ${most}`)
      await expect(limited(stage.place, 1_024, 'x'.repeat(1_023))).resolves.toBe('HF_INPUT_TOO_LARGE')
      await expect(limited(stage.place, 1_024 * 1_024, 'x'.repeat(500_000))).resolves.toBe('enqueued')
      await expect(limitedInside(stage, 1_024)).resolves.toMatchObject({ error: { code: 'HF_INPUT_TOO_LARGE' } })
      await expect(limitedInside(stage, 1_024 * 1_024)).resolves.toMatchObject({ state: 'completed' })
      expect(() => holdfast({ maxInputBytes: 10 })).toThrow(/maxInputBytes must be a whole number from 1024/)
    },
  },
  {
    input: 'depth',
    async check(yard) {
      await carried(yard, nested(100))
      await refused(yard, nested(101), 'HF_INPUT', 'is nested deeper than 100 levels')
      await refused(yard, nested(100_000), 'HF_INPUT', 'is nested deeper than 100 levels')
    },
  },
  {
    input: 'values that JSON drops, changes or cannot say',
    async check(yard) {
      const cycle: Record<string, unknown> = { a: {} }
      ;(cycle['a'] as Record<string, unknown>)['back'] = cycle
      const unreadable = {
        get secret() {
          throw new Error('no')
        },
      }
      const hostile = new Proxy({}, { ownKeys: () => JSON.parse('no') })
      const values: [unknown, string][] = [
        [10n, 'is a bigint'],
        [[undefined], 'is undefined'],
        [Number.NaN, 'is NaN'],
        [Number.POSITIVE_INFINITY, 'is Infinity'],
        [new Map([[1, 2]]), 'is a Map'],
        [new Set([1]), 'is a Set'],
        [new Date(), 'is a Date'],
        [new Date(Number.NaN), 'is a Date'],
        [new Error('x'), 'is an Error'],
        [Symbol('x'), 'is a symbol'],
        [() => 1, 'is a function'],
        [/x/, 'is a RegExp'],
        [Buffer.from('x'), 'is a Buffer'],
        [Promise.resolve(1), 'is a Promise'],
        [new (class Account {})(), 'is an Account'],
        [new Array(2), 'is undefined'],
        [unreadable, 'cannot be read'],
        [hostile, 'cannot be read'],
      ]
      for (const [value, says] of values) await refused(yard, { deep: { at: value } }, 'HF_INPUT', says)
      await refused(yard, { deep: { at: 1n } }, 'HF_INPUT', 'input.deep.at is a bigint')
      await refused(yard, cycle, 'HF_INPUT', 'input.a.back points back to input')
      const { id } = await yard.jobs.enqueue(yard.anything, { gone: undefined, kept: null })
      await yard.stage.ended(id)
      expect(yard.received.get(id)).toStrictEqual({ kept: null })
    },
  },
  {
    input: 'integers beyond 2^53',
    async check(yard) {
      await refused(yard, { id: 2 ** 53 }, 'HF_INPUT', 'input.id is beyond 2^53')
      await refused(yard, { id: -(2 ** 60) }, 'HF_INPUT', 'input.id is beyond 2^53')
      await carried(yard, { most: Number.MAX_SAFE_INTEGER, least: Number.MIN_SAFE_INTEGER, id: '9007199254740993' })
    },
  },
  {
    input: '1e1000',
    async check(yard, stage) {
      await refused(yard, { n: Number('1e1000') }, 'HF_INPUT', 'input.n is Infinity')
      // Another producer may write SQL: then the schema refuses it when the job runs.
      const id = await inserted(yard, 'typed', '{"n":1e1000}')
      expect(await stage.ended(id)).toMatchObject({ state: 'failed', error: { code: 'HF_INPUT' } })
    },
  },
  {
    input: '__proto__ and constructor',
    async check(yard, stage) {
      await refused(yard, JSON.parse('{"a":{"__proto__":{"admin":true}}}'), 'HF_INPUT', 'input.a.__proto__')
      await carried(yard, { constructor: 1, prototype: 2, toString: 'x' })
      const id = await inserted(yard, 'anything', String.raw`{"a":1,"\u005f_proto__":{"admin":true}}`)
      await stage.ended(id)
      const got = yard.received.get(id) as { admin?: boolean }
      expect(Object.assign({}, got)).toStrictEqual({ a: 1 })
      expect(got.admin).toBeUndefined()
      const options = JSON.parse('{"__proto__":{"priority":0}}')
      await expect(yard.jobs.enqueue(yard.anything, 1, options)).rejects.toMatchObject({ code: 'HF_CONFIG' })
      const named = await yard.jobs.enqueue(yard.builder)
      expect(await stage.ended(named.id)).toMatchObject({ result: 'a name like any other' })
      const unknown = await inserted(yard, 'toString', null)
      expect(await stage.find(unknown)).toMatchObject({ state: 'ready' })
    },
  },
  {
    input: 'duplicate keys',
    async check(yard, stage) {
      const id = await inserted(yard, 'typed', '{"n":1,"n":2}')
      expect(await stage.ended(id)).toMatchObject({ state: 'completed', result: 2 })
    },
  },
]

function nested(depth: number): unknown {
  let value: unknown = []
  for (let level = 1; level < depth; level++) value = [value]
  return value
}

/** A job as another program would put it there, past every check of ours. */
async function inserted(yard: Yard, task: string, input: string | null): Promise<string> {
  const id = crypto.randomUUID()
  await yard.stage.sql(`insert into :schema.job (id, queue, task, input) values ($1, 'default', $2, $3)`, [
    id,
    task,
    input,
  ])
  return id
}

async function limited(
  place: { database: string; schema: string },
  maxInputBytes: number,
  input: string,
): Promise<string> {
  const jobs = holdfast({ ...place, maxInputBytes })
  const task = jobs.contract({ name: 'of-a-limited-client', input: z.string() })
  try {
    await jobs.enqueue(task, input)
    return 'enqueued'
  } catch (error) {
    return (error as { code: string }).code
  } finally {
    await jobs.close()
  }
}

/** `ctx.enqueue` keeps the limit of its client, whatever the default is. */
async function limitedInside(stage: Stage, maxInputBytes: number) {
  const jobs = stage.holdfast({ maxInputBytes, queues: { limited: {} } })
  const child = jobs.task({ name: `child-${maxInputBytes}`, input: z.string(), run() {} })
  const parent = jobs.task({
    name: `parent-${maxInputBytes}`,
    queue: 'limited',
    retry: false,
    run: (_, { enqueue }) => void enqueue(child, 'x'.repeat(300_000)),
  })
  await stage.start(jobs.app({ tasks: [parent] }), { queues: ['limited'] })
  return stage.ended((await jobs.enqueue(parent)).id)
}
