import type { Death } from '../../model/death.ts'
import { Lines } from './lines.ts'
import type { Boot, Order, Report } from './messages.ts'
import { openProcess } from './process-cell.ts'
import { openThread } from './thread-cell.ts'
import type { OutputStream, Transport } from './transport.ts'

export interface CellOptions {
  readonly entry: URL
  readonly boot: Boot
  readonly in: 'process' | 'thread'
  readonly heapMb: number | undefined
  /** What it says of no run: output of what earlier runs leaked, and of the app as it loads. */
  readonly onLine: (stream: OutputStream, line: string, cell: Cell) => void
}

/** The run that a cell has now. */
export interface Tenant {
  readonly onReport: (report: Report) => void
  readonly onLine: (stream: OutputStream, line: string) => void
  readonly onDeath: (death: Death) => void
}

export interface CellEvents {
  readonly onReady: () => void
  /** Once. `why`: the app could not be loaded. */
  readonly onDeath: (death: Death, why: string | undefined) => void
}

const BOOT_MS = 60_000

/** A process or thread that has loaded the app and runs one attempt at a time, as the worker sees it. */
export class Cell {
  /** Runs that it had, the one in progress included. */
  runs = 0
  /** Since when it has none, monotonic ms; undefined: it has one, or has not started yet. */
  idleSince: number | undefined
  dead = false
  readonly #transport: Transport
  readonly #options: CellOptions
  readonly #events: CellEvents
  readonly #lines: Record<OutputStream, Lines>
  readonly #bootTimer: NodeJS.Timeout
  #tenant: Tenant | undefined
  #unfit: string | undefined

  constructor(options: CellOptions, events: CellEvents) {
    const { entry, boot, heapMb, onLine } = options
    this.#options = options
    this.#events = events
    const linesOf = (stream: OutputStream) =>
      new Lines((line) => (this.#tenant === undefined ? onLine(stream, line, this) : this.#tenant.onLine(stream, line)))
    this.#lines = { stdout: linesOf('stdout'), stderr: linesOf('stderr') }
    const open = options.in === 'thread' ? openThread : openProcess
    this.#transport = open(
      { entry, heapMb },
      {
        onReport: (report) => this.#hear(report),
        onOutput: (stream, text) => this.#lines[stream].add(text),
        onDeath: (death) => this.#die(death),
      },
    )
    this.#bootTimer = setTimeout(() => {
      this.#unfit = `the app was not loaded within ${BOOT_MS / 1000} s`
      this.kill()
    }, BOOT_MS)
    this.#transport.send({ kind: 'boot', boot })
  }

  get name(): string {
    return this.#transport.name
  }

  /** Gives it a run: `order` must be one. */
  begin(order: Order, tenant: Tenant): void {
    this.runs++
    this.idleSince = undefined
    this.#tenant = tenant
    this.#transport.send(order)
  }

  /** Its run has ended. Resolves once everything that this run printed has been heard: what comes then is another's. */
  async end(): Promise<void> {
    // It printed before it reported the end, so both are read in the same turn of the loop, in whatever order.
    await new Promise((resolve) => setImmediate(resolve))
    this.#flush()
    this.#tenant = undefined
  }

  send(order: Order): void {
    this.#transport.send(order)
  }

  stack(ms: number): Promise<string | undefined> {
    return this.#transport.stack(ms)
  }

  kill(): void {
    this.#transport.kill()
  }

  #hear(report: Report): void {
    if (report.kind === 'ready') {
      clearTimeout(this.#bootTimer)
      this.#events.onReady()
    } else if (report.kind === 'unfit') {
      this.#unfit = report.message
      this.kill()
    } else if (this.#tenant !== undefined) this.#tenant.onReport(report)
    else if (report.kind === 'log') this.#options.onLine('stdout', report.message, this)
  }

  #die(death: Death): void {
    if (this.dead) return
    this.dead = true
    clearTimeout(this.#bootTimer)
    this.#flush()
    const tenant = this.#tenant
    this.#tenant = undefined
    this.#events.onDeath(death, this.#unfit)
    tenant?.onDeath(death)
  }

  #flush(): void {
    this.#lines.stdout.flush()
    this.#lines.stderr.flush()
  }
}
