import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, inject, test } from 'vitest'
import { type Loose, Running, start } from '../cli/support.ts'
import { until } from '../support/until.ts'
import { createWitness } from '../support/witness.ts'

const BENCH = fileURLToPath(new URL('../../bench/package.json', import.meta.url))
const WORKER = fileURLToPath(new URL('bull-worker.mjs', import.meta.url))
const { Queue } = createRequire(BENCH)('bullmq') as Loose

let stages = 0

/** Real BullMQ workers, queues of their own, a witness, and a project that has BullMQ. */
class BullStage implements AsyncDisposable {
  readonly witness = createWitness()
  readonly folder: string
  readonly #tag = `${process.pid}-${++stages}`
  readonly #queues = new Map<string, Loose>()
  readonly #workers: Running[] = []

  static async open(): Promise<BullStage> {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-bull-'))
    await writeFile(path.join(folder, 'package.json'), '{ "name": "app", "type": "module" }')
    await symlink(path.join(path.dirname(BENCH), 'node_modules'), path.join(folder, 'node_modules'))
    return new BullStage(folder)
  }

  private constructor(folder: string) {
    this.folder = folder
  }

  queue(name: string): Loose {
    const found = this.#queues.get(name)
    if (found !== undefined) return found
    const { hostname: host, port } = new URL(inject('redis'))
    const queue = new Queue(`${name}-${this.#tag}`, { connection: { host, port: Number(port) } })
    this.#queues.set(name, queue)
    return queue
  }

  async start(name: string, ...queues: readonly Loose[]): Promise<Running> {
    const env = { PATH: process.env['PATH'], BULL_FROM: BENCH, REDIS_URL: inject('redis'), WITNESS: this.witness.path }
    const child = spawn(process.execPath, [WORKER, queues.map((queue) => queue.name).join(','), name], { env })
    const worker = new Running(child)
    this.#workers.push(worker)
    await until(() => worker.stdout.includes('ready'), { what: () => `worker ${name} is ready: ${worker.said}` })
    return worker
  }

  gate(verb: 'prepare' | 'finish' | 'abort', queues: readonly Loose[], ...args: readonly string[]): Running {
    const names = queues.length === 0 ? [] : ['--queues', queues.map(({ name }) => name).join(',')]
    const words = ['deploy', verb, '--fleet', 'bullmq', ...names, '--json', ...args]
    const env = { REDIS_URL: inject('redis') }
    return start(words, { cwd: this.folder, env })
  }

  letGo(n: number): void {
    writeFileSync(`${this.witness.path}.go${n}`, '')
  }

  countOf(what: 'begin' | 'end'): Record<number, number> {
    const counts: Record<number, number> = {}
    for (const { n } of this.witness.saw(what)) counts[Number(n)] = (counts[Number(n)] ?? 0) + 1
    return counts
  }

  async seen(what: 'begin' | 'end', ...ns: readonly number[]): Promise<void> {
    await until(() => ns.every((n) => this.countOf(what)[n] !== undefined), { what: `${what} of ${ns.join(', ')}` })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.#workers) await worker[Symbol.asyncDispose]()
    for (const queue of this.#queues.values()) await queue.close()
    this.witness[Symbol.dispose]()
    await rm(this.folder, { recursive: true, force: true })
  }
}

async function answer(gate: Running): Promise<{ code: number | null; said: Loose }> {
  const code = await gate.ended(120_000)
  if (gate.stdout === '') throw new Error(`It said nothing but: ${gate.stderr}`)
  return { code, said: JSON.parse(gate.stdout) }
}

const stateOf = (stage: BullStage) => path.join(stage.folder, '.holdfast/deploy-bullmq.json')

test('what may not be interrupted is waited for; nothing is fetched, not by a new worker either, until `finish`', async () => {
  await using stage = await BullStage.open()
  const [a, b] = [stage.queue('a'), stage.queue('b')]
  await stage.start('one', a, b)
  await stage.start('two', a)
  await a.add('plain', { n: 1 })
  await b.add('sync', { n: 2 })
  await stage.seen('begin', 1, 2)
  const gate = stage.gate('prepare', [a, b], '--timeout', '100s', '--interruptible', 'sync')
  await until(() => a.isPaused(), { what: () => `it is paused: ${gate.said}` })
  stage.letGo(1)
  const { code, said } = await answer(gate)
  expect(said).toMatchObject({ ok: true, acknowledged: true, workers: ['one', 'two'], offenders: [] })
  expect(said.interruptible).toMatchObject([{ task: 'sync', worker: 'one', queue: b.name }])
  expect(code).toBe(0)
  expect(stage.countOf('end')).toEqual({ 1: 1 })

  await a.addBulk([11, 12, 13].map((n) => ({ name: 'plain', data: { n, ms: 10 } })))
  await stage.start('three', a)
  const again = await answer(
    stage.gate('prepare', [a, b], '--take-over', '--timeout', '100s', '--interruptible', 'sync'),
  )
  expect(again.said).toMatchObject({ ok: true, workers: ['one', 'three', 'two'] })
  expect(stage.countOf('begin')).toEqual({ 1: 1, 2: 1 })
  expect(await a.isPaused()).toBe(true)

  expect(await answer(stage.gate('finish', []))).toMatchObject({ code: 0, said: { ok: true } })
  await stage.seen('end', 11, 12, 13)
  expect(stage.countOf('begin')).toEqual({ 1: 1, 2: 1, 11: 1, 12: 1, 13: 1 })
  expect(existsSync(stateOf(stage))).toBe(false)
})

test('out of time: exit 1, the offender by name, everything fetches again, and what people had paused stays paused', async () => {
  await using stage = await BullStage.open()
  const [a, b] = [stage.queue('a'), stage.queue('b')]
  await stage.start('one', a, b)
  await b.pause()
  const job = await a.add('plain', { n: 1 })
  await stage.seen('begin', 1)
  const { code, said } = await answer(stage.gate('prepare', [a, b], '--timeout', '8s'))
  expect(code).toBe(1)
  expect(said).toMatchObject({ ok: false, why: 'timeout', acknowledged: true, stillPaused: [], state: null })
  expect(said.offenders).toMatchObject([{ task: 'plain', id: job.id, worker: 'one', state: 'running' }])
  expect(said.offenders[0].runningMs).toBeGreaterThan(5_000)
  expect([await a.isPaused(), await b.isPaused()]).toEqual([false, true])
  stage.letGo(1)
  await a.add('plain', { n: 2, ms: 10 })
  await stage.seen('end', 1, 2)
  expect(stage.countOf('begin')).toEqual({ 1: 1, 2: 1 })
})

test('Ctrl-C resumes; SIGKILL leaves it paused, and `abort` undoes it', async () => {
  await using stage = await BullStage.open()
  const a = stage.queue('a')
  await stage.start('one', a)
  await a.add('plain', { n: 1 })
  await stage.seen('begin', 1)
  const gate = stage.gate('prepare', [a], '--timeout', '60s')
  await until(() => a.isPaused(), { what: () => `it is paused: ${gate.said}` })
  gate.child.kill('SIGINT')
  expect(await answer(gate)).toMatchObject({ code: 1, said: { why: 'interrupted', stillPaused: [] } })
  expect(await a.isPaused()).toBe(false)

  const killed = stage.gate('prepare', [a], '--timeout', '60s')
  await until(() => a.isPaused(), { what: () => `it is paused: ${killed.said}` })
  killed.child.kill('SIGKILL')
  await killed.ended()
  expect(await a.isPaused()).toBe(true)
  expect(await answer(stage.gate('abort', [a]))).toMatchObject({ code: 0 })
  expect(await a.isPaused()).toBe(false)
  const nothing = stage.gate('abort', [a])
  expect(await nothing.ended(60_000)).toBe(1)
  expect(nothing.stderr).toMatch(/HF_FLEET_STATE/)
})

test('a misspelt queue, a Redis that is not there, and a project without BullMQ are refused', async () => {
  await using stage = await BullStage.open()
  const a = stage.queue('a')
  await stage.start('one', a)
  const typo = await answer(stage.gate('prepare', [{ name: 'nowhere' }], '--timeout', '20s'))
  expect(typo).toMatchObject({ code: 1, said: { why: 'error', error: { code: 'HF_FLEET_QUEUE' }, stillPaused: [] } })
  const gone = await answer(stage.gate('prepare', [a], '--timeout', '20s', '--redis', 'redis://127.0.0.1:1'))
  expect(gone).toMatchObject({ code: 1, said: { error: { code: 'HF_FLEET_COMMAND' }, stillPaused: [] } })
  await rm(path.join(stage.folder, 'node_modules'))
  const missing = stage.gate('prepare', [a])
  expect(await missing.ended(60_000)).toBe(1)
  expect(missing.stderr).toMatch(/HF_FLEET_MISSING/)
  const usage = start(['deploy', 'prepare', '--fleet', 'bullmq'], { cwd: stage.folder })
  expect(await usage.ended(60_000)).toBe(2)
})
