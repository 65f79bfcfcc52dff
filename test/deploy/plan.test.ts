import { describe, expect, test } from 'vitest'
import { type DeployPlan, type LiveGroup, planDeploy } from '../../src/deploy/plan.ts'
import type { Manifest, TaskManifest } from '../../src/tasks/manifest.ts'

const schema = (hash: string | null) => ({ vendor: 'zod', schema: null, hash })

function task(name: string, more: Partial<TaskManifest> = {}): TaskManifest {
  return {
    ...{ name, aliases: [], queue: 'default', kind: 'task', interrupt: 'finish', delivery: 'at-least-once' },
    ...{ version: 1, versions: [1], input: schema('a'), legacy: null },
    limits: { soft: 20_000, hard: 22_000, stallAfter: null, own: true },
    ...more,
  }
}

const manifest = (tasks: TaskManifest[], maxFinish = 60_000): Manifest => ({
  format: 1,
  policy: { maxRun: 900_000, maxFinish },
  tasks,
})
const group = (tasks: TaskManifest[] | undefined, more: Partial<LiveGroup> = {}): LiveGroup => ({
  ...{ build: 'old', queues: ['default'], workers: ['h:1'] },
  manifest: tasks && manifest(tasks),
  ...more,
})
const plan = (tasks: TaskManifest[], ...live: LiveGroup[]): DeployPlan =>
  planDeploy({ build: 'new', manifest: manifest(tasks) }, live)

test('names what was added, removed and changed, in the queues that a group serves', () => {
  const live = [task('gone'), task('kept'), task('send'), task('bulk', { queue: 'bulk' })]
  const own = [
    task('kept'),
    task('send', { version: 2, versions: [1, 2], input: schema('b'), interrupt: 'restart' }),
    task('fresh'),
    task('bulk', { queue: 'bulk', version: 2, versions: [2] }),
  ]
  const { groups } = plan(own, group(live), group(live, { queues: ['bulk'], workers: ['h:2', 'h:3'] }))
  expect(groups).toEqual([
    {
      ...{ build: 'old', queues: ['default'], workers: ['h:1'], verdict: 'restart', elsewhere: ['bulk'] },
      differences: [
        { task: 'fresh', kind: 'added', changes: [] },
        { task: 'gone', kind: 'removed', changes: [] },
        {
          task: 'send',
          kind: 'changed',
          changes: [
            { what: 'version', from: '1', to: '2' },
            { what: 'versions', from: '1', to: '1, 2' },
            { what: 'input', from: 'a schema', to: 'another' },
            { what: 'interrupt', from: 'finish', to: 'restart' },
          ],
        },
      ],
    },
    {
      ...{ build: 'old', queues: ['bulk'], workers: ['h:2', 'h:3'], verdict: 'restart' },
      elsewhere: ['fresh', 'gone', 'send'],
      differences: [
        {
          task: 'bulk',
          kind: 'changed',
          changes: [
            { what: 'version', from: '1', to: '2' },
            { what: 'versions', from: '1', to: '2' },
          ],
        },
      ],
    },
  ])
})

test('a group whose queues are not concerned need not be restarted', () => {
  const live = [task('a'), task('bulk', { queue: 'bulk' })]
  const { groups } = plan(
    [task('a', { interrupt: 'restart' }), task('bulk', { queue: 'bulk' })],
    group(live, { queues: ['bulk'] }),
  )
  expect(groups).toMatchObject([{ verdict: 'same', elsewhere: ['a'], differences: [] }])
})

test('a task that moved concerns the queue that it left and the one that it went to', () => {
  const live = [task('a', { queue: 'one' })]
  const verdicts = ['one', 'two', 'three'].map(
    (queue) => plan([task('a', { queue: 'two' })], group(live, { queues: [queue] })).groups[0]?.verdict,
  )
  expect(verdicts).toEqual(['restart', 'restart', 'same'])
})

describe('what cannot be known is said to be unknown', () => {
  const silent = { vendor: 'other', schema: null, hash: null }

  test('a schema of a library that does not say what it takes', () => {
    const { groups } = plan([task('a', { input: silent })], group([task('a', { input: silent })]))
    expect(groups).toMatchObject([
      {
        verdict: 'unknown',
        differences: [
          {
            task: 'a',
            kind: 'unknown',
            changes: [{ what: 'input', from: 'a schema of other', to: 'a schema of other', unknown: true }],
          },
        ],
      },
    ])
  })

  test('but another difference of the same task is enough', () => {
    const { groups } = plan([task('a', { input: silent, kind: 'iteration' })], group([task('a', { input: silent })]))
    expect(groups).toMatchObject([{ verdict: 'restart', differences: [{ kind: 'changed' }] }])
  })

  test('a manifest of another release', () => {
    expect(plan([task('a')], group(undefined)).groups).toMatchObject([{ verdict: 'unknown', differences: [] }])
    expect(plan([task('a')], group(undefined, { build: 'new' })).groups).toMatchObject([{ verdict: 'current' }])
  })
})

test('the same build is current, unless nobody knows which build it is', () => {
  expect(plan([task('a')], group([task('a')], { build: 'new' })).groups[0]?.verdict).toBe('current')
  const nameless = planDeploy({ build: 'unknown', manifest: manifest([task('a')]) }, [
    group([task('a')], { build: 'unknown' }),
  ])
  expect(nameless.groups[0]?.verdict).toBe('same')
})

test('another input under the same version is pointed out', () => {
  const { groups } = plan(
    [task('a', { input: schema('b') }), task('b', { input: null })],
    group([task('a'), task('b')]),
  )
  expect(groups[0]?.differences).toMatchObject([
    { task: 'a', changes: [{ what: 'input', unversioned: true }] },
    { task: 'b', changes: [{ what: 'input', from: 'a schema', to: 'none', unversioned: true }] },
  ])
})

test('limits that a task states count; those that come of the grace of a machine do not', () => {
  const limits = (soft: number, own: boolean) => ({ soft, hard: soft + 1_000, stallAfter: null, own })
  const compare = (from: TaskManifest['limits'], to: TaskManifest['limits'], maxFinish: number) =>
    plan([task('a', { limits: to })], {
      ...group(undefined),
      manifest: manifest([task('a', { limits: from })], maxFinish),
    }).groups[0]
  expect(compare(limits(20_000, true), limits(30_000, true), 60_000)?.differences[0]?.changes).toEqual([
    { what: 'limit', from: '20s (hard 21s)', to: '30s (hard 31s)' },
  ])
  expect(compare(limits(20_000, false), limits(60_000, false), 20_000)?.verdict).toBe('same')
  expect(compare(limits(20_000, false), limits(60_000, false), 60_000)?.verdict).toBe('restart')
})

test('a task that was renamed is one that changed, forwards and back', () => {
  const old = task('mail')
  const renamed = task('letter', { aliases: ['mail'] })
  const forwards = plan([renamed], group([old]))
  expect(forwards).toMatchObject({ loses: [], gains: ['letter'] })
  expect(forwards.groups[0]?.differences).toEqual([
    {
      task: 'letter',
      kind: 'changed',
      changes: [
        { what: 'name', from: 'mail', to: 'letter' },
        { what: 'aliases', from: 'none', to: 'mail' },
      ],
    },
  ])
  const back = plan([old], group([renamed]))
  expect(back).toMatchObject({ loses: ['letter'], gains: [] })
  expect(back.groups[0]?.differences).toMatchObject([{ task: 'mail', kind: 'changed' }])
})

test('says which jobs will wait: those that only live workers take, and those that only this code does', () => {
  const live = [task('a'), task('gone', { versions: [1, 2], version: 2 })]
  expect(plan([task('a', { version: 2, versions: [2] })], group(live))).toMatchObject({
    loses: ['a', 'gone', 'gone@2'],
    gains: ['a@2'],
  })
  expect(plan([task('a')])).toEqual({ groups: [], loses: [], gains: [] })
})
