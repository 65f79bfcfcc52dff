import { expect, test } from 'vitest'
import { makerFor } from '../../src/tasks/make.ts'
import { createRegistry } from '../../src/tasks/registry.ts'
import type { PgClient } from '../../src/tasks/transactions.ts'

const jobs = makerFor<'default', PgClient>(new Set(['default'] as const))
const run = () => {}
const named = (name: string, ...aliases: string[]) => jobs.task({ name, aliases, run })

test('tasks are found by their names and aliases, from the list and from modules', () => {
  const receipts = {
    sendReceipt: named('send-receipt', 'mail'),
    from: 'shop@example.org',
    helper() {},
    nothing: undefined,
  }
  const registry = createRegistry([named('nightly'), receipts])
  expect(registry.names).toEqual(['nightly', 'send-receipt', 'mail'])
  expect(registry.get('mail')).toBe(registry.get('send-receipt'))
  expect(registry.get('constructor')).toBeUndefined()
  expect(registry.tasks.map((task) => task.name)).toEqual(['nightly', 'send-receipt'])
})

test('a contract among the exports of a module is ignored, its task counts', () => {
  const contract = jobs.contract({ name: 'fetch' })
  const registry = createRegistry([{ contract, fetch: contract.task({ run }) }])
  expect(registry.names).toEqual(['fetch'])
})

test('a task that is reached twice is one task', () => {
  const nightly = named('nightly')
  expect(createRegistry([nightly, { nightly }, { again: nightly }]).tasks).toHaveLength(1)
})

test('a name has one owner', () => {
  const cases = [
    [[named('a'), named('a')], '"a" is the name of the task a and the name of the task a'],
    [[named('a', 'old'), named('b', 'old')], '"old" is an alias of the task a and an alias of the task b'],
    [[named('a'), named('b', 'a')], '"a" is the name of the task a and an alias of the task b'],
    [[named('b', 'a'), named('a')], '"a" is an alias of the task b and the name of the task a'],
  ] as const
  for (const [tasks, message] of cases) {
    expect(() => createRegistry(tasks)).toThrow(expect.objectContaining({ code: 'HF_TASK_DUPLICATE' }))
    expect(() => createRegistry(tasks)).toThrow(message)
  }
})

test('what is no task is refused by its place in the list', () => {
  const cases = [
    [[jobs.contract({ name: 'fetch' })], 'tasks[0] of app() is the contract fetch, which has no body'],
    [[named('a'), {}], 'tasks[1] of app() is a module that exports no task'],
    [[named('a'), [named('b')]], 'tasks[1] of app() must be a task or a module of tasks, not an array'],
    [[undefined], 'tasks[0] of app() must be a task or a module of tasks, not undefined'],
    [{}, 'tasks of app() must be a list, not an object'],
  ] as const
  for (const [tasks, message] of cases) {
    expect(() => createRegistry(tasks as never)).toThrow(expect.objectContaining({ code: 'HF_CONFIG' }))
    expect(() => createRegistry(tasks as never)).toThrow(message)
  }
})

test("the app's defaults fill in what a task leaves out, and nothing else", () => {
  const tasks = [
    jobs.task({ name: 'silent', run }),
    jobs.task({ name: 'partly', retry: { limit: 7 }, timeLimit: '10s', run }),
    jobs.task({ name: 'never', retry: false, run }),
    jobs.task({ name: 'once', delivery: 'at-most-once', run }),
  ]
  const registry = createRegistry(tasks, { retry: { limit: 2, backoff: '1s' }, timeLimit: { soft: '50s', hard: '1m' } })
  expect(registry.get('silent')).toMatchObject({
    retry: { limit: 2, backoff: 1_000, factor: 2 },
    timeLimit: { soft: 50_000, hard: 60_000 },
    ownLimit: false,
  })
  expect(registry.get('partly')).toMatchObject({
    retry: { limit: 7, backoff: 1_000 },
    timeLimit: { soft: 10_000, hard: 11_000 },
    ownLimit: true,
  })
  expect(registry.get('never')?.retry).toBe(false)
  expect(registry.get('once')?.retry).toBe(false)
})

test('defaults are checked although every task speaks for itself', () => {
  const tasks = [jobs.task({ name: 'a', retry: false, timeLimit: '1s', run })]
  expect(() => createRegistry(tasks, { retry: { limit: -1 } })).toThrow('limit in retry in defaults of app()')
  expect(() => createRegistry(tasks, { timeLimit: '1 h' as never })).toThrow('timeLimit in defaults of app()')
})
