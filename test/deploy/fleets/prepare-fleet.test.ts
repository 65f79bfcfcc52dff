import { expect, test } from 'vitest'
import type { Fetching, Fleet, FleetJob, FleetLook, FleetWork, LaterJob } from '../../../src/deploy/fleets/fleet.ts'
import { type PrepareSettings, prepareFleet } from '../../../src/deploy/fleets/prepare-fleet.ts'

const job = (id: string, task = 'plain', state: FleetJob['state'] = 'running'): FleetJob => ({
  id,
  task,
  worker: 'w',
  state,
})

/** A fleet that does what it is told, unless a test says otherwise. */
class Fake implements Fleet {
  readonly system = 'fake'
  readonly cannot = []
  readonly calls: string[] = []
  fetching: Fetching[] = [{ worker: 'w', queue: 'a' }]
  /** What each question about jobs is answered, the last one for ever. */
  work: (readonly FleetJob[])[] = [[]]
  later: LaterJob[] = []
  look: (() => Partial<FleetLook>) | undefined
  deaf = false

  async workers(): Promise<FleetLook> {
    this.calls.push('look')
    return { workers: ['w'], fetching: this.fetching, silent: [], ...this.look?.() }
  }

  async pause(queues: readonly Fetching[]): Promise<void> {
    this.calls.push(`pause ${queues.map(({ queue }) => queue).join()}`)
    if (!this.deaf) this.fetching = []
  }

  async active(): Promise<FleetWork> {
    this.calls.push('active')
    return {
      jobs: this.work.length > 1 ? (this.work.shift() ?? []) : (this.work[0] ?? []),
      later: this.later,
      silent: [],
    }
  }

  isInterruptible({ task }: { task: string }): boolean {
    return task === 'sync'
  }

  async resume(held: readonly Fetching[]) {
    this.calls.push(`resume ${held.map(({ queue }) => queue).join()}`)
    return { resumed: held, restarted: [], silent: [], left: [] }
  }

  undo = () => []
}

const settings = (more: Partial<PrepareSettings> = {}): PrepareSettings => ({
  require: 'interruptible',
  timeoutMs: 30_000,
  signal: new AbortController().signal,
  remember: async () => {},
  every: 1,
  ...more,
})

test('written down, then paused, then seen to be paused, and only then asked what runs', async () => {
  const fleet = new Fake()
  fleet.work = [[job('1'), job('2', 'sync')], [job('2', 'sync')]]
  const remember = async (held: readonly Fetching[]) => void fleet.calls.push(`remember ${held.length}`)
  const prepared = await prepareFleet(fleet, settings({ remember }))
  expect(prepared).toMatchObject({ ok: true, acknowledged: true, held: [{ queue: 'a' }], interruptible: [{ id: '2' }] })
  expect(fleet.calls).toEqual(['look', 'remember 1', 'pause a', 'look', 'active', 'look', 'active'])
})

test('a worker that does not heed the pause, or starts later, is asked again; what was paused is counted once', async () => {
  const fleet = new Fake()
  fleet.deaf = true
  let looks = 0
  fleet.look = () => {
    looks++
    if (looks < 3) return {}
    return looks === 3 ? { fetching: [{ worker: 'late', queue: 'b' }] } : { fetching: [] }
  }
  const prepared = await prepareFleet(fleet, settings())
  expect(prepared.held).toEqual([
    { worker: 'w', queue: 'a' },
    { worker: 'late', queue: 'b' },
  ])
})

test('idle counts what may be interrupted; a task taken but not begun counts; one that is due soon counts, a later one is told', async () => {
  for (const [work, later, blocking] of [
    [[job('1', 'sync')], [], ['1']],
    [[job('1', 'plain', 'taken')], [], ['1']],
    [[], [{ id: '1', task: 'plain', worker: 'w', dueMs: 2_000 }], ['1']],
  ] as const) {
    const fleet = new Fake()
    Object.assign(fleet, { work: [work], later })
    const prepared = await prepareFleet(fleet, settings({ require: 'idle', timeoutMs: 50 }))
    expect(prepared).toMatchObject({ ok: false, why: 'timeout', acknowledged: true })
    expect(prepared.blocking.map(({ id }) => id)).toEqual(blocking)
    expect(fleet.calls.at(-1)).toBe('resume a')
  }
  const fleet = new Fake()
  fleet.later = [{ id: '1', task: 'plain', worker: 'w', dueMs: 3_600_000 }]
  expect(await prepareFleet(fleet, settings({ require: 'idle' }))).toMatchObject({ ok: true, later: [{ id: '1' }] })
})

test('someone silent keeps the gate shut, though nothing seems to run', async () => {
  const fleet = new Fake()
  fleet.look = () => ({ silent: [{ who: 'x', why: 'does not answer' }] })
  const prepared = await prepareFleet(fleet, settings({ timeoutMs: 50 }))
  expect(prepared).toMatchObject({ ok: false, why: 'timeout', silent: [{ who: 'x' }] })
})

test.each(['look', 'pause', 'active'] as const)(
  'aborted at its first %s: resumed, whatever was paused',
  async (where) => {
    const fleet = new Fake()
    const stop = new AbortController()
    fleet.calls.push = (...calls) => {
      if (calls[0]?.startsWith(where)) stop.abort()
      return Array.prototype.push.apply(fleet.calls, calls)
    }
    const prepared = await prepareFleet(fleet, settings({ signal: stop.signal }))
    expect(prepared).toMatchObject({ ok: false, why: 'interrupted' })
    expect(fleet.calls.at(-1)).toBe(where === 'look' ? 'resume ' : 'resume a')
  },
)

test('an error resumes; an error of that as well leaves what is held in the result', async () => {
  const fleet = new Fake()
  fleet.active = () => Promise.reject(new Error('broker gone'))
  expect(await prepareFleet(fleet, settings())).toMatchObject({ ok: false, why: 'error', resumed: { left: [] } })
  fleet.fetching = [{ worker: 'w', queue: 'a' }]
  fleet.resume = () => Promise.reject(new Error('still gone'))
  const prepared = await prepareFleet(fleet, settings())
  expect(prepared).toMatchObject({ ok: false, why: 'error', held: [{ queue: 'a' }], resumeError: expect.any(Error) })
})

test('nothing can be written down: nothing is paused', async () => {
  const fleet = new Fake()
  const prepared = await prepareFleet(fleet, settings({ remember: () => Promise.reject(new Error('disk full')) }))
  expect(prepared).toMatchObject({ ok: false, why: 'error' })
  expect(fleet.calls).toEqual(['look', 'resume a'])
})

test('what an earlier command had paused is resumed with the rest; a fleet without a worker is refused', async () => {
  const fleet = new Fake()
  fleet.work = [[job('1')]]
  const before = [{ worker: 'w', queue: 'old' }]
  const prepared = await prepareFleet(fleet, settings({ before, timeoutMs: 50 }))
  expect(prepared.held.map(({ queue }) => queue)).toEqual(['old', 'a'])
  const empty = new Fake()
  empty.look = () => ({ workers: [], fetching: [] })
  expect(await prepareFleet(empty, settings())).toMatchObject({ ok: false, error: { code: 'HF_FLEET_EMPTY' } })
})

test('a worker that starts again in the wait with other queues: what its earlier start had is forgotten', async () => {
  const fleet = new Fake()
  const of = (queue: string, pid: number) => ({ worker: 'w', queue, start: { pid, at: 0 } })
  let looks = 0
  fleet.look = () => ({ fetching: [[of('a', 1), of('b', 1)], [of('a', 2)]][looks++] ?? [] })
  expect((await prepareFleet(fleet, settings())).held).toEqual([of('a', 2)])
})
