import type { SettlePlan } from '../model/settle-plan.ts'
import type { Fate } from './settle.ts'

/** What was written of a run, or that nothing was. */
type End = SettlePlan['kind'] | Exclude<Fate, 'written'>

/** Counts what became of a worker's runs. */
export class Tally {
  readonly #settled: Record<string, number> = {}
  #handedOff = 0
  #finished = 0

  /** @param leaving claiming has been stopped: the worker empties itself */
  count(kind: End, leaving: boolean): void {
    this.#settled[kind] = (this.#settled[kind] ?? 0) + 1
    if (!leaving || kind === 'refused' || kind === 'unwritten') return
    if (kind === 'hand-back') this.#handedOff++
    else if (kind !== 'yield') this.#finished++
  }

  /** How many runs ended, by what was written of them; `refused` and `unwritten`: nothing. */
  get settled(): Readonly<Record<string, number>> {
    return this.#settled
  }

  /** What became of the runs that ended since claiming was stopped. */
  get leaving(): { readonly handedOff: number; readonly finished: number } {
    return { handedOff: this.#handedOff, finished: this.#finished }
  }
}
