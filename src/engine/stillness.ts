import { monotonic } from './monotonic.ts'

/** A beat that comes so late was not made by a thread that could run: then the whole process stood still. */
const FROZEN_MS = 1_000
const [BEAT, THAWED] = [0, 1] as const

/**
 * Whether the whole process stood still a moment ago: SIGSTOP, a paused virtual machine, a machine without a processor to spare. A thread
 * that only beats is what tells that from a main thread whose own code blocks it. Shared between the two.
 */
export class Stillness {
  /** For the other thread. */
  readonly shared: BigInt64Array<SharedArrayBuffer>

  constructor(shared = new BigInt64Array(new SharedArrayBuffer(16))) {
    this.shared = shared
  }

  /** Called all the time by the thread. True: it could not for a while. */
  beat(): boolean {
    const now = BigInt(Math.floor(monotonic()))
    const last = Atomics.exchange(this.shared, BEAT, now)
    const frozen = last !== 0n && now - last > FROZEN_MS
    if (frozen) Atomics.store(this.shared, THAWED, now)
    return frozen
  }

  /** Within the last `ms`. At the very moment of waking the thread may not have beaten yet. */
  within(ms: number): boolean {
    const now = BigInt(Math.floor(monotonic()))
    const last = Atomics.load(this.shared, BEAT)
    const thawed = Atomics.load(this.shared, THAWED)
    return (last !== 0n && now - last > FROZEN_MS) || (thawed !== 0n && now - thawed < BigInt(ms))
  }
}
