import type { SettlePlan } from '../model/settle-plan.ts'

/** Counts what became of a worker's runs. */
export class Tally {
  readonly #settled: Record<string, number> = {}
  #handedOff = 0
  #finished = 0

  /** @param leaving claiming has been stopped: the worker empties itself */
  count(kind: SettlePlan['kind'], leaving: boolean): void {
    this.#settled[kind] = (this.#settled[kind] ?? 0) + 1
    if (!leaving) return
    if (kind === 'hand-back') this.#handedOff++
    else if (kind !== 'yield') this.#finished++
  }

  /** How many runs ended, by what was written of them. */
  get settled(): Readonly<Record<string, number>> {
    return this.#settled
  }

  /** What became of the runs that ended since claiming was stopped. */
  get leaving(): { readonly handedOff: number; readonly finished: number } {
    return { handedOff: this.#handedOff, finished: this.#finished }
  }
}
