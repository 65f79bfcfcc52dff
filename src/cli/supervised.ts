import type { Drained } from '../deploy/drain.ts'
import { BLACKBOX, type ChildMessage, type SupervisorMessage } from '../deploy/supervisor/messages.ts'
import { within } from '../engine/within.ts'
import type { RunningWorker } from '../worker.ts'

const BEAT_MS = 250
const LAST_WORD_MS = 500

/** What jobs start must not inherit it: in another process the number is another file. */
function takeBlackbox(): number | undefined {
  const descriptor = process.env[BLACKBOX]
  delete process.env[BLACKBOX]
  return descriptor !== undefined && /^\d{1,4}$/.test(descriptor) ? Number(descriptor) : undefined
}

/** A worker process's end of the line to its supervisor. Without a supervisor it is silent. */
export class SupervisorLine {
  /** The file descriptor of its black box; undefined: this process has no supervisor. */
  readonly blackbox = process.send === undefined ? undefined : takeBlackbox()
  #beats: NodeJS.Timeout | undefined
  /** A beat is still on its way. */
  #unsent = false

  /** `stop`: it says so, or it is gone. `quiet`: claim nothing more, and stay. */
  constructor(stop: (reason: string) => void, quiet: () => void) {
    if (!this.open) return
    process.on('message', (message: SupervisorMessage) => {
      if (message.kind === 'stop') stop(message.reason)
      else quiet()
    })
    process.on('disconnect', () => stop('the end of its supervisor'))
  }

  /** The supervisor is gone. */
  get orphaned(): boolean {
    return this.open && !process.connected
  }

  begin(worker: RunningWorker, url: string, schema: string): void {
    if (!this.open) return
    const { key = 0, name, policies, config } = worker
    this.#send({ kind: 'started', key, name, url, schema, graceMs: config.shutdown.graceMs, tasks: policies })
    this.#beat(worker)
    this.#beats = setInterval(() => {
      // For a supervisor that does not read, they must not pile up here.
      if (!this.#unsent) this.#beat(worker)
    }, BEAT_MS)
    this.#beats.unref()
  }

  /** How it is just now: the next beat may be too late for whoever asks. */
  tell(worker: RunningWorker): void {
    if (this.open) this.#beat(worker)
  }

  /** It was told to stop, by whomever: however it ends from now on, that is no crash. */
  stopping(): void {
    if (this.open) this.#send({ kind: 'stopping' })
  }

  /**
   * The last word. Resolves when it is on its way, or after `patience` ms: a supervisor that stands still, with its pipe full, does not keep
   * this process. `late`: it leaves before it is done.
   */
  async end(drained: Drained | undefined, { patience = LAST_WORD_MS, late = false } = {}): Promise<void> {
    if (!this.open) return
    clearInterval(this.#beats)
    await within(new Promise<void>((resolve) => this.#send({ kind: 'stopped', drained, late }, resolve)), patience)
  }

  #beat(worker: RunningWorker): void {
    const { key = 0, running, concurrency, claiming, settled, worries, unserved } = worker
    this.#unsent = true
    this.#send({ kind: 'beat', key, running, slots: concurrency, claiming, settled, worries, unserved }, () => {
      this.#unsent = false
    })
  }

  /** Whether this process has a supervisor. */
  get open(): boolean {
    return this.blackbox !== undefined
  }

  #send(message: ChildMessage, done: () => void = () => {}): void {
    if (process.connected) process.send?.(message, undefined, undefined, done)
    else done()
  }
}
