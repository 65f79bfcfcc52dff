import { type Death, ranOutOfMemory } from '../../model/death.ts'
import { formatDuration, MAX_TIMER_MS } from '../../model/duration.ts'
import { HoldfastError, isHoldfastError } from '../../model/errors.ts'
import type { InterruptReason, Outcome } from '../../model/outcome.ts'
import type { SettlePlan } from '../../model/settle-plan.ts'
import type { Attempt } from '../attempt.ts'
import type { ContextPorts } from '../context.ts'
import { monotonic } from '../monotonic.ts'
import type { Cell } from './cell.ts'
import { type Ended, packAsked, type Report, unpackAsked } from './messages.ts'

export interface AwayRunOptions {
  readonly alone: boolean
  readonly ports: {
    readonly log: ContextPorts['log']
    readonly checkpointed: (attempt: Attempt) => void
    readonly crowded: (queue: string) => boolean
    /** Its worker is about to go. */
    readonly stopping: () => boolean
  }
  readonly planned: (plan: SettlePlan) => void
  readonly ended: (outcome: Outcome) => void
  /** Its cell is free for another run, or (`spent`) for none. */
  readonly onLeft: (spent: boolean) => void
}

/** So long before the hard limit at most a process is asked where its code is: that takes some 40 ms, on a busy machine more. */
const STACK_MS = 500
/** What stands still anyway may be looked at for longer. */
const HALT_STACK_MS = 5_000
/** Code that was told of a cancel has this long to end; nobody wants the rest of its work. */
const CANCEL_MS = 5_000
const LOOK_EVERY_MS = 250
/** Where the limits are one, the code gets a moment to answer its signal before it is killed. */
const BOTH_AT_ONCE_MS = 100

/** One run in a cell, from the order to its end: by its own report, by force at the hard limit, or by the death of the cell. */
export class AwayRun {
  readonly attempt: Attempt
  readonly #cell: Cell
  readonly #options: AwayRunOptions
  #hardLimit: NodeJS.Timeout | undefined
  #cancelling: NodeJS.Timeout | undefined
  #looking: NodeJS.Timeout | undefined
  #crowded = false
  /** What it was killed for. */
  #killed: Outcome | undefined
  #over = false

  constructor(cell: Cell, attempt: Attempt, options: AwayRunOptions) {
    this.#cell = cell
    this.attempt = attempt
    this.#options = options
  }

  start(): void {
    const { job, task, ledger } = this.attempt
    const { timeLimit } = task
    // It may have waited for its cell.
    this.attempt.steps++
    this.attempt.movedAt = monotonic()
    this.attempt.mayHaveStarted = true
    this.attempt.relay = (reason, error, now) => this.#relay(reason, error, now)
    if (timeLimit !== undefined) this.#limit(timeLimit)
    if (task.iteration?.maxSlotTime !== undefined) this.#looking = setInterval(() => this.#look(), LOOK_EVERY_MS)
    this.#cell.begin(
      { kind: 'run', job, worker: ledger.worker, softLimit: timeLimit?.soft },
      {
        onReport: (report) => this.#hear(report),
        onLine: (stream, line) =>
          this.#options.ports.log(stream === 'stdout' ? 'info' : 'warn', line, { stream }, this.attempt),
        onDeath: (death) => this.#die(death),
      },
    )
  }

  /** Ends it by force. `outcome` follows when its process is dead; what it reports until then is the truth. */
  kill(outcome: Outcome): void {
    this.#killed ??= outcome
    this.#cell.kill()
  }

  /** It fails with this error, and is ended by force. */
  async halt(error: Error, asked = this.#cell.stack(HALT_STACK_MS)): Promise<void> {
    const stack = await asked
    // Where its code was, not where this was noticed.
    error.stack = stack === undefined ? error.message : `${error.message}\n${stack}`
    if (!this.#over) this.kill({ kind: 'failed', error, retry: 'policy' })
  }

  #limit({ soft, hard }: { readonly soft: number; readonly hard: number }): void {
    // From now on: it may have waited for a cell.
    const ms = hard > soft ? hard : hard + BOTH_AT_ONCE_MS
    const ask = Math.min(STACK_MS, ms / 4)
    this.#hardLimit = setTimeout(
      () => {
        const stack = this.#cell.stack(ask)
        this.#hardLimit = setTimeout(() => void this.#exceed(hard, stack), ask)
      },
      Math.min(ms - ask, MAX_TIMER_MS),
    )
  }

  async #exceed(hard: number, asked: Promise<string | undefined>): Promise<void> {
    const text = `The run went on after its hard limit of ${formatDuration(hard)}, so its ${this.#cell.name} was killed`
    await this.halt(new HoldfastError('HF_HARD_LIMIT', text), asked)
  }

  #relay(reason: InterruptReason, error: unknown, now: boolean): void {
    // Its job is somebody else's: whatever it still does is done twice.
    if (reason === 'lease-lost') return this.kill({ kind: 'interrupted', reason })
    if (reason === 'cancel') this.#cancelling ??= setTimeout(() => this.kill({ kind: 'cancelled' }), CANCEL_MS)
    const own = isHoldfastError(error) ? { code: error.code, message: error.message } : undefined
    this.#cell.send({ kind: 'interrupt', reason, now, error: own, asked: packAsked(this.attempt.asked) })
  }

  #look(): void {
    const crowded = this.#options.ports.crowded(this.attempt.job.queue)
    if (crowded !== this.#crowded) this.#cell.send({ kind: 'crowded', crowded })
    this.#crowded = crowded
  }

  #hear(report: Report): void {
    if (report.kind === 'log') {
      const { level, message, data, late } = report
      this.#options.ports.log(level, message, late ? { ...data, ...late } : data, this.attempt)
    } else if (report.kind === 'checkpoint') this.#options.ports.checkpointed(this.attempt)
    else if (report.kind === 'alive') this.attempt.steps++
    else if (report.kind === 'progress') this.attempt.report(report.done, report.total)
    else if (report.kind === 'ended') this.#end(report)
  }

  #end({ plan, settled, where, asked, spent }: Ended): void {
    if (!this.#leave()) return
    this.attempt.settled = settled
    this.attempt.where = where
    this.attempt.asked ??= unpackAsked(asked)
    const killed = this.#killed !== undefined
    // What it printed last comes before what is told of its end.
    void this.#cell.end().then(() => {
      this.#options.onLeft(spent || killed)
      this.#options.planned(plan)
    })
  }

  #die(death: Death): void {
    if (!this.#leave()) return
    this.#options.onLeft(true)
    this.#options.ended(this.#killed ?? this.#outcomeOf(death))
  }

  #outcomeOf(death: Death): Outcome {
    const reason = this.attempt.aborted ?? this.attempt.stopAt
    if (reason === 'cancel') return { kind: 'cancelled' }
    // A stop signal that reached the cell itself, while its worker was being stopped: some platforms signal every process. The run may
    // not have been asked to stop, and what the app does at such a signal may be to exit, with whatever code.
    const told = reason !== undefined && !ranOutOfMemory(death) && KILLS.has(death.signal ?? '')
    const left = this.#options.ports.stopping() && (STOPS.has(death.signal ?? '') || isExit(death))
    if (reason !== 'limit' && (told || left)) return { kind: 'interrupted', reason: reason ?? 'drain' }
    return { kind: 'crashed', death, alone: this.#options.alone }
  }

  #leave(): boolean {
    if (this.#over) return false
    this.#over = true
    this.attempt.relay = undefined
    clearTimeout(this.#hardLimit)
    clearTimeout(this.#cancelling)
    clearInterval(this.#looking)
    return true
  }
}

const STOPS = new Set(['SIGTERM', 'SIGINT', 'SIGHUP'])
const KILLS = new Set([...STOPS, 'SIGKILL'])

function isExit({ signal, oom, thrown }: Death): boolean {
  return signal === null && oom === undefined && thrown === undefined
}
