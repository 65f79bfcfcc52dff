import { existsSync } from 'node:fs'
import path from 'node:path'
import { expect, type TestAPI } from 'vitest'
import type { Loose, Running } from '../cli/support.ts'
import { until } from '../support/until.ts'
import { CeleryStage } from './celery-stage.ts'

type Tell = TestAPI | TestAPI['concurrent']

const stateOf = (stage: CeleryStage) => path.join(stage.folder, '.holdfast/deploy-celery.json')

/** The one document that it answers with, and its exit code. */
async function answer(gate: Running): Promise<{ code: number | null; said: Loose }> {
  const code = await gate.ended(200_000)
  if (gate.stdout === '') throw new Error(`It said nothing but: ${gate.stderr}`)
  return { code, said: JSON.parse(gate.stdout) }
}

const paused = (gate: Running) =>
  until(() => gate.stderr.includes('Pausing.'), { what: () => `it pauses: ${gate.said}` })

/** The stories of a gate over Celery, whatever its broker. */
export function coreStories(broker: () => string, test: Tell): void {
  test('what may not be interrupted is waited for, nothing is fetched, `finish` lets everything go on', async () => {
    await using stage = await CeleryStage.open(broker())
    const [a, b] = [stage.queue('a'), stage.queue('b')]
    const [one, two] = [stage.worker('one'), stage.worker('two')]
    await Promise.all([stage.start('one', [a, b]), stage.start('two', [a])])
    await stage.send(['plain', 1, null, a], ['late', 2, null, b])
    await stage.seen('begin', 1, 2)

    const gate = stage.gate('prepare', '--timeout', '180s')
    await paused(gate)
    stage.letGo(1)
    const { code, said } = await answer(gate)
    expect(said).toMatchObject({ ok: true, acknowledged: true, workers: [one, two], unreachable: [], offenders: [] })
    expect(code).toBe(0)
    expect(stage.countOf('end')).toEqual({ 1: 1 })
    expect(said.interruptible).toMatchObject([{ task: 'late', worker: one, state: 'running' }])
    expect(said.cannot.join(' ')).toMatch(/does not expire/)
    expect(await stage.queues()).toEqual({ [one]: [], [two]: [] })

    const more = [11, 12, 13, 14].map((n) => ['plain', n, 0.1, n % 2 === 0 ? a : b] as const)
    await stage.send(...more)
    const again = await answer(stage.gate('prepare', '--take-over', '--timeout', '180s'))
    expect(again.said).toMatchObject({ ok: true, interruptible: [{ task: 'late' }] })
    expect(stage.countOf('begin')).toEqual({ 1: 1, 2: 1 })

    const finish = await answer(stage.gate('finish'))
    expect(finish).toMatchObject({ code: 0, said: { ok: true, restarted: [], left: [] } })
    expect(await stage.queues()).toEqual({ [one]: [a, b].sort(), [two]: [a] })
    await stage.seen('end', 11, 12, 13, 14)
    expect(stage.countOf('begin')).toEqual({ 1: 1, 2: 1, 11: 1, 12: 1, 13: 1, 14: 1 })
    expect(existsSync(stateOf(stage))).toBe(false)
  })

  test('out of time: exit 1, the offender by name, and everything fetches again', async () => {
    await using stage = await CeleryStage.open(broker())
    const [a, b] = [stage.queue('a'), stage.queue('b')]
    const [one, two] = [stage.worker('one'), stage.worker('two')]
    await Promise.all([stage.start('one', [a]), stage.start('two', [b])])
    const [id] = await stage.send(['plain', 1, null, a])
    await stage.seen('begin', 1)
    const gate = stage.gate('prepare', '--timeout', '25s')
    await paused(gate)
    await stage.send(['plain', 2, 0.1, b], ['plain', 3, 0.1, b])
    const { code, said } = await answer(gate)
    expect(code).toBe(1)
    expect(said).toMatchObject({ ok: false, why: 'timeout', acknowledged: true, stillPaused: [], state: null })
    expect(said.offenders).toMatchObject([{ task: 'plain', id, worker: one, state: 'running' }])
    expect(said.offenders[0].runningMs).toBeGreaterThan(3_000)
    expect(said.offenders[0].cure).toMatch(/acks_late/)
    expect(await stage.queues()).toEqual({ [one]: [a], [two]: [b] })
    stage.letGo(1)
    await stage.seen('end', 1, 2, 3)
    expect(stage.countOf('begin')).toEqual({ 1: 1, 2: 1, 3: 1 })
    expect(existsSync(stateOf(stage))).toBe(false)
  })

  test('a worker that falls silent after its pause is given back its queues, and said to be paused until it answers', async () => {
    await using stage = await CeleryStage.open(broker())
    const [a, b] = [stage.queue('a'), stage.queue('b')]
    const two = stage.worker('two')
    const [, frozen] = await Promise.all([stage.start('one', [a]), stage.start('two', [b])])
    await stage.send(['plain', 1, null, a])
    await stage.seen('begin', 1)
    const gate = stage.gate('prepare', '--timeout', '30s')
    await until(async () => (await stage.queues())[two]?.length === 0, { what: 'it fetches no more' })
    await frozen.freeze()
    const { code, said } = await answer(gate)
    expect(code).toBe(1)
    expect(said).toMatchObject({ ok: false, unreachable: [{ who: two }], stillPaused: [{ worker: two, queue: b }] })
    expect(said.undo.join('\n')).toContain(`-d ${two} add_consumer ${b}`)
    expect(existsSync(stateOf(stage))).toBe(true)
    // It was asked all the same, and reads that when it wakes up.
    frozen.thaw()
    await until(async () => (await stage.queues())[two]?.length === 1, { what: 'it fetches again' })
    expect(await answer(stage.gate('abort'))).toMatchObject({ code: 0, said: { ok: true, left: [] } })
    expect(existsSync(stateOf(stage))).toBe(false)
  })

  test('SIGKILL in the wait leaves it paused; `abort` undoes it', async () => {
    await using stage = await CeleryStage.open(broker())
    const a = stage.queue('a')
    const one = stage.worker('one')
    await stage.start('one', [a])
    await stage.send(['plain', 1, null, a])
    await stage.seen('begin', 1)
    const gate = stage.gate('prepare', '--timeout', '180s')
    await until(async () => (await stage.queues())[one]?.length === 0, { what: 'it fetches no more' })
    // A second one, at the same time, is told of the first.
    const second = stage.gate('prepare')
    expect(await second.ended(60_000)).toBe(1)
    expect(second.stderr).toMatch(/HF_FLEET_BUSY/)
    gate.child.kill('SIGKILL')
    await gate.ended()
    expect(gate.stderr).toContain(`control -d ${one} add_consumer ${a}`)
    expect(await stage.queues()).toEqual({ [one]: [] })
    expect(await answer(stage.gate('abort'))).toMatchObject({ code: 0, said: { resumed: [{ worker: one, queue: a }] } })
    expect(await stage.queues()).toEqual({ [one]: [a] })
  })
}

/** What hangs on Celery and on the gate, and not on the broker. */
export function moreStories(broker: () => string, test: Tell): void {
  test('Ctrl-C in the wait: exit 1, and everything fetches again', async () => {
    await using stage = await CeleryStage.open(broker())
    const a = stage.queue('a')
    const one = stage.worker('one')
    await stage.start('one', [a])
    await stage.send(['plain', 1, null, a])
    await stage.seen('begin', 1)
    const gate = stage.gate('prepare', '--timeout', '180s')
    await paused(gate)
    await until(async () => (await stage.queues())[one]?.length === 0, { what: 'it fetches no more' })
    gate.child.kill('SIGINT')
    const { code, said } = await answer(gate)
    expect(code).toBe(1)
    expect(said).toMatchObject({ ok: false, why: 'interrupted', stillPaused: [] })
    expect(await stage.queues()).toEqual({ [one]: [a] })
  })

  test('a worker that does not answer keeps the gate shut, by name, and works again when it wakes up', async () => {
    await using stage = await CeleryStage.open(broker())
    const [a, b] = [stage.queue('a'), stage.queue('b')]
    const [one, two] = [stage.worker('one'), stage.worker('two')]
    const [, frozen] = await Promise.all([stage.start('one', [a]), stage.start('two', [b])])
    await frozen.freeze()
    const { code, said } = await answer(stage.gate('prepare', '--timeout', '15s', '--expect', `${one},${two}`))
    expect(code).toBe(1)
    expect(said).toMatchObject({ ok: false, why: 'timeout', unreachable: [{ who: two }], stillPaused: [] })
    frozen.thaw()
    await stage.send(['plain', 1, 0.1, a], ['plain', 2, 0.1, b])
    await stage.seen('end', 1, 2)
    expect(await stage.queues()).toEqual({ [one]: [a], [two]: [b] })
  })

  test('idle: what may be interrupted is in the way as well; and prefetched tasks have begun and ended when the gate is open', async () => {
    await using stage = await CeleryStage.open(broker())
    const [a, b] = [stage.queue('a'), stage.queue('b')]
    await Promise.all([stage.start('one', [a], { slots: 1, prefetch: 8 }), stage.start('two', [b])])
    await stage.send(...[1, 2, 3].map((n) => ['plain', n, 1, a] as const), ['late', 9, null, b])
    await stage.seen('begin', 1, 9)
    const { code, said } = await answer(stage.gate('prepare', '--require', 'idle', '--timeout', '25s'))
    expect(code).toBe(1)
    expect(said.offenders).toMatchObject([{ task: 'late', cure: expect.stringMatching(/--require interruptible/) }])

    await stage.send(...[11, 12, 13, 14].map((n) => ['plain', n, 1.5, a] as const))
    await stage.seen('begin', 11)
    const open = await answer(stage.gate('prepare', '--timeout', '180s'))
    expect(open).toMatchObject({ code: 0, said: { ok: true, interruptible: [{ task: 'late' }], offenders: [] } })
    // Nothing is left in its hands that would begin now: what has begun has ended, but for the one that may be interrupted.
    expect(stage.countOf('begin')).toEqual({ ...stage.countOf('end'), 9: 1 })
    await answer(stage.gate('finish'))
    await stage.seen('end', 1, 2, 3, 11, 12, 13, 14)
    expect(Object.values(stage.countOf('begin')).every((count) => count === 1)).toBe(true)
  })

  test('a worker that was restarted with other queues keeps those', async () => {
    await using stage = await CeleryStage.open(broker())
    const [a, b] = [stage.queue('a'), stage.queue('b')]
    const [one, two] = [stage.worker('one'), stage.worker('two')]
    const [old] = await Promise.all([stage.start('one', [a, b]), stage.start('two', [b])])
    expect(await answer(stage.gate('prepare', '--timeout', '180s'))).toMatchObject({ code: 0 })
    await old.stop()
    await stage.start('one', [a])
    const { said } = await answer(stage.gate('finish'))
    expect(said).toMatchObject({ ok: true, restarted: [one], resumed: [{ worker: two, queue: b }] })
    expect(await stage.queues()).toEqual({ [one]: [a], [two]: [b] })
  })
}
