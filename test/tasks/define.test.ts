import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { ErrorCode } from '../../src/model/errors.ts'
import { contractOf, definitionOf, taskDefinitionOf } from '../../src/tasks/handle.ts'
import { makerFor } from '../../src/tasks/make.ts'
import { range } from '../../src/tasks/sources/range.ts'
import type { PgClient } from '../../src/tasks/transactions.ts'

const queues = new Set(['default', 'realtime', 'bulk'] as const)
const jobs = makerFor<'default' | 'realtime' | 'bulk', PgClient>(queues)
/** The same without types: a JavaScript user, or one who insists. */
const untyped = jobs as unknown as Record<'contract' | 'task' | 'iteration' | 'implement', (options: unknown) => never>
const run = () => {}
const items = () => range(0, 3)

describe('a task', () => {
  test('is a small frozen value that carries its definition out of sight', () => {
    const task = jobs.task({ name: 'send-receipt', queue: 'realtime', run })
    expect({ ...task }).toEqual({ name: 'send-receipt', queue: 'realtime', kind: 'task' })
    expect(Object.isFrozen(task)).toBe(true)
    expect(Object.isFrozen(taskDefinitionOf(task))).toBe(true)
    expect(JSON.stringify(task)).toBe('{"name":"send-receipt","queue":"realtime","kind":"task"}')
  })

  test('says nothing: the defaults', () => {
    const definition = taskDefinitionOf(jobs.task({ name: 'a', run }))
    expect(definition).toMatchObject({
      kind: 'task',
      queue: 'default',
      version: 1,
      priority: 5,
      expires: undefined,
      aliases: [],
      versions: [1],
      interrupt: 'finish',
      delivery: 'at-least-once',
      retry: { limit: 10, backoff: 5_000 },
      timeLimit: undefined,
      isolate: undefined,
      run,
    })
  })

  test('says everything: durations become milliseconds', () => {
    const input = z.object({ id: z.string() })
    const task = jobs.task({
      ...{ name: 'a', queue: 'bulk', version: 3, priority: 0, expires: '1h', input },
      ...{
        aliases: ['b', 'b', 'c'],
        interrupt: 'restart',
        timeLimit: { soft: '20s', hard: '0.5m' },
        retry: false,
        run,
      },
    })
    expect(taskDefinitionOf(task)).toMatchObject({
      ...{ queue: 'bulk', version: 3, priority: 0, expires: 3_600_000, input, aliases: ['b', 'c'] },
      ...{ interrupt: 'restart', timeLimit: { soft: 20_000, hard: 30_000 }, retry: false },
    })
  })

  test('at most once has no retry, whatever the default is', () => {
    const task = jobs.task({ name: 'charge', delivery: 'at-most-once', run })
    expect(taskDefinitionOf(task)).toMatchObject({ delivery: 'at-most-once', retry: false, retryOptions: false })
  })

  test('an option that is undefined is one that is left out', () => {
    const options = { name: 'a', queue: undefined, retry: undefined, timeLimit: undefined, expires: undefined, run }
    expect(taskDefinitionOf(untyped.task(options))).toMatchObject({ queue: 'default', timeLimit: undefined })
  })
})

describe('an iteration', () => {
  test('resumes, and takes its loop from its options', () => {
    const each = () => {}
    const options = { checkpoint: 'periodic', concurrency: 8, partitions: 4, maxSlotTime: '5m' } as const
    const definition = taskDefinitionOf(jobs.iteration({ name: 'touch', ...options, items, each }))
    expect(definition).toMatchObject({
      kind: 'iteration',
      interrupt: 'resume',
      delivery: 'at-least-once',
      run: undefined,
    })
    expect(definition?.iteration).toEqual({
      ...{ checkpoint: 'periodic', concurrency: 8, partitions: 4, maxSlotTime: 300_000, items, each },
      ...{ start: undefined, prepare: undefined, done: undefined },
    })
  })

  test('says nothing: the defaults', () => {
    const definition = taskDefinitionOf(jobs.iteration({ name: 'touch', items, each() {} }))
    expect(definition?.iteration).toMatchObject({ checkpoint: 'transactional', concurrency: 1, partitions: 1 })
  })
})

describe('a contract', () => {
  const contract = jobs.contract({
    name: 'backfill',
    queue: 'bulk',
    priority: 7,
    input: z.object({ from: z.number() }),
  })

  test('can be enqueued, and is no task', () => {
    expect(contractOf(contract, 'enqueue')).toMatchObject({ name: 'backfill', queue: 'bulk', priority: 7 })
    expect(taskDefinitionOf(contract)).toBeUndefined()
  })

  test('becomes a task or an iteration of the same name, queue and schema', () => {
    const task = contract.task({ interrupt: 'restart', run })
    expect(taskDefinitionOf(task)).toMatchObject({ ...definitionOf(contract), kind: 'task', interrupt: 'restart' })
    const iteration = contract.iteration({ items, each() {} })
    expect(taskDefinitionOf(iteration)).toMatchObject({ ...definitionOf(contract), kind: 'iteration' })
  })

  test('is implemented by a client that has its queue', () => {
    const other = makerFor<'default' | 'bulk', PgClient>(new Set(['default', 'bulk'] as const))
    expect(definitionOf(other.implement(contract as never))).toEqual(definitionOf(contract))
    const without = makerFor<'default', PgClient>(new Set(['default'] as const))
    expect(() => without.implement(contract as never)).toThrow(
      'The queue "bulk" of contract backfill is not declared. Declared: default [HF_QUEUE_NOT_FOUND]',
    )
  })
})

/** Each row: what is called, with what, and the whole message. */
const REFUSED: [maker: keyof typeof untyped, options: unknown, code: ErrorCode, message: string][] = [
  ['task', undefined, 'HF_CONFIG', 'jobs.task() takes an object of options, not undefined'],
  ['task', 'send', 'HF_CONFIG', 'jobs.task() takes an object of options, not "send"'],
  ['task', { run }, 'HF_NAME', 'The name of a task must be'],
  ['task', { name: 'a b', run }, 'HF_NAME', 'not "a b"'],
  ['task', { name: 'a\0', run }, 'HF_NAME', 'The name of a task must be'],
  [
    'task',
    { name: 'a', queue: 'realtmie', run },
    'HF_QUEUE_NOT_FOUND',
    'The queue "realtmie" of task a is not declared. Did you mean \'realtime\'? Declared: default, realtime, bulk',
  ],
  [
    'task',
    { name: 'a', queue: 'constructor', run },
    'HF_QUEUE_NOT_FOUND',
    'The queue "constructor" of task a is not declared. Declared',
  ],
  [
    'task',
    { name: 'a', timelimit: '20s', run },
    'HF_CONFIG',
    'task a has no option "timelimit". Did you mean \'timeLimit\'?',
  ],
  ['task', { name: 'a', each() {}, run }, 'HF_CONFIG', 'task a has no option "each"'],
  ['task', { name: 'a', result: z.string(), run }, 'HF_CONFIG', 'task a has no option "result"'],
  ['task', { name: 'a' }, 'HF_CONFIG', 'run of task a must be a function, not undefined'],
  [
    'task',
    { name: 'a', input: { id: 'string' }, run },
    'HF_CONFIG',
    'input of task a must be a schema that follows Standard Schema (zod, valibot, arktype, …), not an object',
  ],
  ['task', { name: 'a', timeLimit: 20, run }, 'HF_DURATION', 'timeLimit of task a must be a number and a unit'],
  ['task', { name: 'a', timeLimit: '0s', run }, 'HF_CONFIG', 'timeLimit of task a must be a duration from'],
  [
    'task',
    { name: 'a', timeLimit: { soft: '2m', hard: '1m' }, run },
    'HF_CONFIG',
    'soft in timeLimit of task a is 2m, longer than hard, 1m',
  ],
  [
    'iteration',
    { name: 'a', items: () => [], each: () => {}, stallAfter: 0 },
    'HF_DURATION',
    'stallAfter of iteration a must be a number and a unit',
  ],
  [
    'iteration',
    { name: 'a', items: () => [], each: () => {}, stallAfter: '0s' },
    'HF_CONFIG',
    'stallAfter of iteration a must be a duration from 100ms',
  ],
  ['task', { name: 'a', isolate: 'process', run }, 'HF_CONFIG', "isolate of task a must be true, false, 'thread' or"],
  ['task', { name: 'a', isolate: null, run }, 'HF_CONFIG', 'isolate of task a must be true, false'],
  ['task', { name: 'a', isolate: { in: 'tread' }, run }, 'HF_CONFIG', 'in of isolate of task a must be one of'],
  [
    'task',
    { name: 'a', isolate: { heapMb: 1 }, run },
    'HF_CONFIG',
    'heapMb of isolate of task a must be a whole number',
  ],
  ['task', { name: 'a', isolate: { recycle: 1 }, run }, 'HF_CONFIG', 'isolate of task a has no option "recycle"'],
  ['task', { name: 'a', timeLimit: { soft: '2m' }, run }, 'HF_DURATION', 'hard in timeLimit of task a must be'],
  [
    'task',
    { name: 'a', timeLimit: { sotf: '2m', hard: '3m' }, run },
    'HF_CONFIG',
    'timeLimit of task a has no option "sotf". Did you mean \'soft\'?',
  ],
  ['task', { name: 'a', expires: '-1s', run }, 'HF_DURATION', 'expires of task a must be'],
  [
    'task',
    { name: 'a', priority: 10, run },
    'HF_CONFIG',
    'priority of task a must be a whole number from 0 to 9, not 10',
  ],
  [
    'task',
    { name: 'a', version: 0, run },
    'HF_CONFIG',
    'version of task a must be a whole number from 1 to 32767, not 0',
  ],
  [
    'task',
    { name: 'a', interrupt: 'resume', run },
    'HF_CONFIG',
    'interrupt of task a must be one of finish, restart, not "resume"',
  ],
  [
    'task',
    { name: 'a', delivery: 'exactly-once', run },
    'HF_CONFIG',
    'delivery of task a must be one of at-least-once, at-most-once, not "exactly-once"',
  ],
  [
    'task',
    { name: 'a', delivery: 'at-most-once', retry: { limit: 3 }, run },
    'HF_CONFIG',
    "delivery of task a is 'at-most-once': nothing may start it again, so leave out `retry`",
  ],
  [
    'task',
    { name: 'a', delivery: 'at-most-once', interrupt: 'restart', run },
    'HF_CONFIG',
    "leave out `interrupt: 'restart'`",
  ],
  [
    'task',
    { name: 'a', retry: { limits: 3 }, run },
    'HF_CONFIG',
    'retry of task a has no option "limits". Did you mean \'limit\'?',
  ],
  ['task', { name: 'a', retry: 3, run }, 'HF_CONFIG', 'retry of task a must be an object, not 3'],
  [
    'task',
    { name: 'a', upgrade: { 1: run }, run },
    'HF_CONFIG',
    'upgrade of task a has no place for "1": it is at version 1',
  ],
  [
    'task',
    { name: 'a', version: 3, upgrade: { 3: run }, run },
    'HF_CONFIG',
    'upgrade of task a has no place for "3": its keys go from 1 to 2',
  ],
  [
    'task',
    { name: 'a', version: 3, upgrade: { one: run }, run },
    'HF_CONFIG',
    'upgrade of task a has no place for "one"',
  ],
  [
    'task',
    { name: 'a', version: 3, upgrade: [run], run },
    'HF_CONFIG',
    'upgrade of task a must be an object with a function',
  ],
  [
    'task',
    { name: 'a', version: 3, upgrade: { 2: 1 }, run },
    'HF_CONFIG',
    'upgrade of task a must be a function at 2, not 1',
  ],
  [
    'task',
    { name: 'a', version: 4, upgrade: { 1: run, 3: run }, run },
    'HF_CONFIG',
    'upgrade of task a leads from version 1 to 2, and ends there: a step from 2 to 3 is missing',
  ],
  [
    'task',
    { name: 'a', version: 2, upgradeCursor: { 1: run }, run },
    'HF_CONFIG',
    'task a has no option "upgradeCursor"',
  ],
  [
    'iteration',
    { name: 'i', version: 3, upgrade: { 2: run }, upgradeCursor: { 1: run }, items, each() {} },
    'HF_CONFIG',
    'upgradeCursor of iteration i has a step from version 1, whose inputs it does not take',
  ],
  ['task', { name: 'a', aliases: 'b', run }, 'HF_CONFIG', 'aliases of task a must be a list of names, not "b"'],
  ['task', { name: 'a', aliases: ['b c'], run }, 'HF_NAME', 'The name of a task must be'],
  ['task', { name: 'a', aliases: ['a'], run }, 'HF_CONFIG', 'aliases of task a names the task itself'],
  ['iteration', { name: 'i', each() {} }, 'HF_CONFIG', 'items of iteration i must be a function, not undefined'],
  ['iteration', { name: 'i', items }, 'HF_CONFIG', 'each of iteration i must be a function, not undefined'],
  [
    'iteration',
    { name: 'i', items, each() {}, delivery: 'at-most-once' },
    'HF_CONFIG',
    'iteration i takes no `delivery`: a job that resumes has started more than once',
  ],
  [
    'iteration',
    { name: 'i', items, each() {}, interrupt: 'restart' },
    'HF_CONFIG',
    'iteration i takes no `interrupt`: an iteration always resumes at its checkpoint',
  ],
  [
    'iteration',
    { name: 'i', items, each() {}, run },
    'HF_CONFIG',
    'iteration i takes no `run`: it has `items` and `each`',
  ],
  [
    'iteration',
    { name: 'i', items, each() {}, checkpoint: 'peridoic' },
    'HF_CONFIG',
    'checkpoint of iteration i must be one of transactional, periodic, not "peridoic". Did you mean \'periodic\'?',
  ],
  [
    'iteration',
    { name: 'i', items, each() {}, concurrency: 0 },
    'HF_CONFIG',
    'concurrency of iteration i must be a whole number from 1 to 1000, not 0',
  ],
  [
    'iteration',
    { name: 'i', items, each() {}, partitions: 1.5 },
    'HF_CONFIG',
    'partitions of iteration i must be a whole number from 1 to 1000, not 1.5',
  ],
  [
    'iteration',
    { name: 'i', items, each() {}, maxSlotTime: '5 min' },
    'HF_DURATION',
    'maxSlotTime of iteration i must be',
  ],
  [
    'iteration',
    { name: 'i', items, each() {}, prepare: 'x' },
    'HF_CONFIG',
    'prepare of iteration i must be a function, not "x"',
  ],
  ['contract', { name: 'c', run }, 'HF_CONFIG', 'contract c has no option "run"'],
  ['contract', { name: 'c', queue: 'blk' }, 'HF_QUEUE_NOT_FOUND', "Did you mean 'bulk'?"],
  ['implement', 'backfill', 'HF_CONFIG', 'jobs.implement() takes a contract, not "backfill"'],
  [
    'implement',
    jobs.task({ name: 'a', run }),
    'HF_CONFIG',
    'jobs.implement() takes a contract, not the task a, which has its body',
  ],
]

describe('what cannot work is refused where it is written', () => {
  test.each(REFUSED)('%s %o', (maker, options, code, message) => {
    expect(() => untyped[maker](options)).toThrow(expect.objectContaining({ code }))
    expect(() => untyped[maker](options)).toThrow(message)
  })

  test('in the body of a contract, too', () => {
    const contract = jobs.contract({ name: 'c' })
    const task = contract.task as unknown as (body: unknown) => void
    const iteration = contract.iteration as unknown as (body: unknown) => void
    expect(() => task({ queue: 'bulk', run })).toThrow('`queue` of task c belongs in its contract')
    expect(() => task({ timelimit: '1s', run })).toThrow(
      'task c has no option "timelimit". Did you mean \'timeLimit\'?',
    )
    expect(() => task(undefined)).toThrow('task c must be an object, not undefined')
    expect(() => iteration({ items, each() {}, delivery: 'at-most-once' })).toThrow('iteration c takes no `delivery`')
  })

  test('and what is no task cannot be enqueued', () => {
    expect(() => contractOf('nightly', 'enqueue')).toThrow(
      'enqueue() takes a task or a contract, not "nightly": import the task or its contract, not its name [HF_CONFIG]',
    )
    expect(() => contractOf({ name: 'nightly', queue: 'default' }, 'enqueue')).toThrow('not an object')
    expect(() => contractOf(null, 'enqueue')).toThrow('not null')
  })
})
