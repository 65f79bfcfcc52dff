import fc from 'fast-check'
import { expect } from 'vitest'
import type { Marks } from '../../src/engine/marks.ts'
import type { Database } from '../../src/store/db.ts'
import type { Stage } from '../support/stage.ts'
import { type Fence, S, type Worker } from './facts.ts'
import type { Model } from './model.ts'
import { compare } from './store.ts'

/** What a command works on: the database, and what the processes of the workers remember. */
export interface Real {
  readonly stage: Stage
  readonly db: Database
  readonly marks: Map<number, Marks>
  /** Ids are made here, so that a seed gives the same ones again. */
  readonly nextId: () => string
  /** How often each command ran, and how often it was refused: a sequence in which nothing is ever refused proves little. */
  readonly tally: Map<string, number>
}

/** Does one thing in the model and in the database; resolves with the model's answer and the database's. */
type Step<A> = (model: Model, real: Real, args: A) => Promise<[expected: unknown, actual: unknown] | undefined>

class Command<A> implements fc.AsyncCommand<Model, Real> {
  readonly #name: string
  readonly #args: A
  readonly #step: Step<A>

  constructor(name: string, args: A, step: Step<A>) {
    this.#name = name
    this.#args = args
    this.#step = step
  }

  check = () => true

  async run(model: Model, real: Real): Promise<void> {
    const answers = await this.#step(model, real, this.#args)
    if (answers === undefined) return
    const [expected, actual] = answers
    expect(actual, `${this.toString()} answers`).toEqual(expected)
    await compare(real.stage, model)
    const refused = expected === false || expected === undefined || expected === 'refused'
    const key = `${this.#name}${refused ? ' refused' : ''}`
    real.tally.set(key, (real.tally.get(key) ?? 0) + 1)
  }

  toString(): string {
    return `${this.#name}(${JSON.stringify(this.#args)})`
  }
}

/** `weight`: how often it comes, beside the others. */
export function step<A>(name: string, args: fc.Arbitrary<A>, does: Step<A>, weight = 1) {
  const arbitrary: fc.Arbitrary<fc.AsyncCommand<Model, Real>> = args.map((values) => new Command(name, values, does))
  return { name, arbitrary, weight }
}

export const number = fc.nat({ max: 1_000 })
/** Which fence: a current one, or on purpose one whose run is over. */
export const fence = fc.record({ nth: number, stale: fc.boolean() })
type Pick = { nth: number; stale: boolean }

export function pick<T>(list: readonly T[], nth: number): T | undefined {
  return list.length === 0 ? undefined : list[list.length - 1 - (nth % list.length)]
}

/**
 * A fence whose run has its job, or on purpose a stale one: most often of a job that is ready again, or on another worker, because
 * there is something to break then. `task`: of this task only.
 */
export function fenceOf(model: Model, { nth, stale }: Pick, task?: string): Fence | undefined {
  const all = model.fences.filter(({ id }) => task === undefined || model.jobs.get(id)?.task === task)
  const wanted = all.filter((each) => model.holds(each) !== stale)
  const near = wanted.filter(({ id }) => (model.jobs.get(id)?.state ?? S.lost) <= S.started)
  return (nth % 4 > 0 ? pick(near, nth) : undefined) ?? pick(wanted, nth) ?? pick(all, nth)
}

export function jobOf(model: Model, nth: number): string | undefined {
  return pick([...model.jobs.keys()], nth)
}

/** One that is alive, where there is one; every eighth time any incarnation that ever was. */
export function workerOf(model: Model, nth: number): Worker {
  const alive = model.workers.filter((worker) => worker.alive)
  return ((nth % 8 > 0 ? pick(alive, nth) : undefined) ?? pick(model.workers, nth)) as Worker
}

export function sorted(texts: readonly string[]): string[] {
  return texts.toSorted()
}
