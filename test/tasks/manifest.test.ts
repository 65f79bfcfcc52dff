import { expect, test } from 'vitest'
import { z } from 'zod'
import { resolveConfig } from '../../src/model/config.ts'
import { taskDefinitionOf } from '../../src/tasks/handle.ts'
import { limitTasks } from '../../src/tasks/limits.ts'
import { makerFor } from '../../src/tasks/make.ts'
import { type Manifest, manifestOf, readManifest } from '../../src/tasks/manifest.ts'
import type { Schema } from '../../src/tasks/schema.ts'
import type { PgClient } from '../../src/tasks/transactions.ts'

const jobs = makerFor<'default' | 'bulk', PgClient>(new Set(['default', 'bulk'] as const))
const run = () => {}
const config = resolveConfig({ shutdown: { grace: '30s' } })

function manifest(...tasks: unknown[]): Manifest {
  const definitions = tasks.map((task) => taskDefinitionOf(task) as NonNullable<ReturnType<typeof taskDefinitionOf>>)
  return manifestOf(limitTasks(definitions, new Map(), config, new Date()).tasks, config)
}

/** A library's schema that says nothing of itself. */
const silent: Schema = { '~standard': { version: 1, vendor: 'silent', validate: (value) => ({ value }) } }

test('says of each task what tells two builds apart', () => {
  const send = jobs.task({
    name: 'send',
    queue: 'bulk',
    aliases: ['mail', 'a-mail'],
    version: 3,
    input: z.object({ to: z.string(), at: z.iso.date().transform((text) => new Date(text)) }),
    timeLimit: { soft: '2m', hard: '3m' },
    legacy: { reason: 'a library of 2009', until: '2099-01-31' },
    run,
  })
  const nightly = jobs.task({ name: 'nightly', interrupt: 'restart', run })
  const found = manifest(send, nightly)
  expect(found).toMatchObject({
    format: 1,
    policy: { maxRun: config.maxRunMs, maxFinish: config.maxFinishMs },
    tasks: [
      {
        name: 'nightly',
        aliases: [],
        queue: 'default',
        kind: 'task',
        interrupt: 'restart',
        delivery: 'at-least-once',
        version: 1,
        input: null,
        limits: { soft: null, hard: null, stallAfter: null, own: false },
        legacy: null,
      },
      {
        name: 'send',
        aliases: ['a-mail', 'mail'],
        queue: 'bulk',
        version: 3,
        interrupt: 'finish',
        limits: { soft: 120_000, hard: 180_000, stallAfter: null, own: true },
        legacy: { reason: 'a library of 2009', until: '2099-01-31' },
        input: { vendor: 'zod', schema: { type: 'object', required: ['at', 'to'] } },
      },
    ],
  })
  expect(readManifest(JSON.parse(JSON.stringify(found)))).toEqual(found)
})

test('is the same text for the same code, whatever the order in which it was written', () => {
  const one = jobs.task({ name: 'a', input: z.object({ x: z.string(), y: z.number().optional(), z: z.string() }), run })
  const same = jobs.task({
    name: 'a',
    input: z.object({ z: z.string(), y: z.number().optional(), x: z.string() }),
    run,
  })
  const other = jobs.task({ name: 'a', input: z.object({ x: z.string(), y: z.number(), z: z.string() }), run })
  const b = jobs.task({ name: 'b', run })
  expect(JSON.stringify(manifest(one, b))).toBe(JSON.stringify(manifest(b, same)))
  expect(manifest(one).tasks[0]?.input?.hash).not.toBe(manifest(other).tasks[0]?.input?.hash)
})

test('of a schema that cannot be told: its library, and nothing else', () => {
  const unknown = { schema: null, hash: null }
  const throws = {
    ...silent['~standard'],
    jsonSchema: {
      input: () => {
        throw new Error('no')
      },
    },
  }
  expect(manifest(jobs.task({ name: 'a', input: silent, run })).tasks[0]?.input).toEqual({
    vendor: 'silent',
    ...unknown,
  })
  expect(manifest(jobs.task({ name: 'a', input: { '~standard': throws } as Schema, run })).tasks[0]?.input).toEqual({
    vendor: 'silent',
    ...unknown,
  })
  const code = z.object({ when: z.custom<string>(() => true) })
  expect(
    manifest(jobs.task({ name: 'a', input: z.object({ n: code, big: z.bigint() }) as never, run })).tasks[0]?.input,
  ).toEqual({
    vendor: 'zod',
    ...unknown,
  })
})

test('stays small: of large schemas, and of those that PostgreSQL cannot keep, the hash alone', () => {
  const wide = z.object(Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`field${n}`, z.string()])))
  const large = manifest(jobs.task({ name: 'a', input: wide, run })).tasks[0]?.input
  expect(large).toEqual({ vendor: 'zod', schema: null, hash: expect.stringMatching(/^[0-9a-f]{16}$/) })

  const nul = manifest(jobs.task({ name: 'a', input: z.object({ x: z.literal('a\0b') }), run })).tasks[0]?.input
  expect(nul).toEqual({ vendor: 'zod', schema: null, hash: expect.any(String) })

  const middle = z.object(Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`field${n}`, z.string()])))
  const many = manifest(...Array.from({ length: 100 }, (_, n) => jobs.task({ name: `t${n}`, input: middle, run })))
  expect(many.tasks.every(({ input }) => input?.schema === null && input.hash !== null)).toBe(true)
  expect(JSON.stringify(many).length).toBeLessThan(100_000)
})

test('of a release that writes it otherwise: unknown', () => {
  expect(readManifest({ format: 2, tasks: [] })).toBeUndefined()
  expect(readManifest({})).toBeUndefined()
  expect(readManifest(null)).toBeUndefined()
})
