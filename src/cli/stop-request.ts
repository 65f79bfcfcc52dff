const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** A terminal that is lost counts as well: deploys run over ssh. */
export type StopRequest = (typeof SIGNALS)[number]

/** Hears the signals that ask a waiting command to give up, until it is disposed of. */
export class StopRequests implements Disposable {
  /** Aborts at the first of them, with its name as the reason. */
  readonly signal: AbortSignal
  readonly #listeners: readonly (readonly [StopRequest, () => void])[]

  /** `hear` is told of each of them, and whether it is the first. */
  constructor(hear: (signal: StopRequest, first: boolean) => void = () => {}) {
    const controller = new AbortController()
    this.signal = controller.signal
    this.#listeners = SIGNALS.map((name) => {
      const listener = (): void => {
        const first = !controller.signal.aborted
        controller.abort(name)
        hear(name, first)
      }
      process.on(name, listener)
      return [name, listener] as const
    })
  }

  [Symbol.dispose](): void {
    for (const [name, listener] of this.#listeners) process.off(name, listener)
  }
}
