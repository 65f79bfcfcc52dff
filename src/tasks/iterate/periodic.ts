import { setImmediate as turn } from 'node:timers/promises'
import type { Asked } from '../../store/checkpoints.ts'
import type { IterationBodyDefinition } from '../definition.ts'
import type { SourceItem } from '../source.ts'
import { END } from './end.ts'
import { ItemFailure } from './failure.ts'
import { inOrder } from './pipeline.ts'
import type { IterationPort } from './port.ts'
import type { Tracker } from './tracker.ts'
import type { LoopEnd } from './transactional.ts'

/** Items that resolve at once would never let the event loop turn: signals, leases and checkpoints need it. */
const TURN_EVERY_MS = 10

/**
 * The cursor is saved from time to time, beside the work; one save at a time, each with the newest progress.
 * At least once: a crash redoes what was done since the last save.
 */
export async function periodicLoop(
  body: IterationBodyDefinition,
  opened: { readonly name: string; readonly items: AsyncIterable<SourceItem<unknown>> },
  tracker: Tracker,
  port: IterationPort,
): Promise<LoopEnd> {
  const saver = new Saver(tracker, port)
  try {
    const end =
      body.concurrency === 1 && body.prepare === undefined
        ? await oneByOne(body, opened, tracker, port, saver)
        : await severalAtOnce(body, opened, tracker, port, saver)
    const asked = await saver.last()
    return asked ? { asked } : end
  } catch (error) {
    // What was done before the failure need not be done again.
    await saver.last().catch(() => {})
    throw error
  }
}

async function oneByOne(
  body: IterationBodyDefinition,
  opened: { readonly name: string; readonly items: AsyncIterable<SourceItem<unknown>> },
  tracker: Tracker,
  port: IterationPort,
  saver: Saver,
): Promise<LoopEnd> {
  let turnAt = performance.now() + TURN_EVERY_MS
  let after: unknown = tracker.cursor
  try {
    for await (const { item, cursor } of opened.items) {
      after = cursor
      const done = body.each(item, port.itemCtx(tracker.items))
      if (done instanceof Promise) await done
      tracker.cursor = port.endsAt() === undefined ? cursor : END
      tracker.items++
      if (tracker.cursor === END) return 'done'
      const now = performance.now()
      if (now >= turnAt) {
        await turn()
        turnAt = performance.now() + TURN_EVERY_MS
        if (saver.due(now)) saver.save()
      }
      if (saver.asked) return { asked: saver.asked }
      const stop = port.stop()
      if (stop) return { stop }
    }
  } catch (error) {
    throw new ItemFailure(opened.name, tracker.items, after, error)
  }
  // A source may just end when its signal aborts.
  const stop = port.stop()
  return stop && stop !== 'yield' ? { stop } : 'done'
}

async function severalAtOnce(
  body: IterationBodyDefinition,
  opened: { readonly name: string; readonly items: AsyncIterable<SourceItem<unknown>> },
  tracker: Tracker,
  port: IterationPort,
  saver: Saver,
): Promise<LoopEnd> {
  const { prepare } = body
  // Kept, for the answer may change: an end that was a stop must not be taken for the end of the collection.
  let stop: ReturnType<IterationPort['stop']>
  const stopped = () => {
    stop ??= port.stop()
    return stop
  }
  const steps = inOrder(opened.items, {
    from: tracker.items,
    concurrency: body.concurrency,
    more: () => stopped() === undefined && saver.asked === undefined && port.endsAt() === undefined,
    work: async (item, index) => {
      const ctx = port.itemCtx(index)
      await body.each(prepare === undefined ? item : await prepare(item, ctx), ctx)
    },
  })
  let turnAt = performance.now() + TURN_EVERY_MS
  try {
    for await (const step of steps) {
      tracker.items = step.index + 1
      tracker.cursor = port.endsAt() === step.index ? END : step.cursor
      if (tracker.cursor === END) return 'done'
      const now = performance.now()
      if (now < turnAt) continue
      await turn()
      turnAt = performance.now() + TURN_EVERY_MS
      if (saver.due(now)) saver.save()
    }
  } catch (error) {
    throw new ItemFailure(opened.name, tracker.items, tracker.cursor, error)
  }
  if (saver.asked) return { asked: saver.asked }
  // A source may also just end when its signal aborts.
  const why = stopped()
  return why ? { stop: why } : 'done'
}

class Saver {
  readonly #tracker: Tracker
  readonly #port: IterationPort
  #running: Promise<void> | undefined
  #failure: unknown
  #nextAt: number
  #savedItems: number
  asked: Asked | undefined

  constructor(tracker: Tracker, port: IterationPort) {
    this.#tracker = tracker
    this.#port = port
    this.#nextAt = performance.now() + port.checkpointEvery
    this.#savedItems = tracker.items
  }

  due(now: number): boolean {
    if (this.#failure !== undefined) throw this.#failure
    return now >= this.#nextAt && this.#running === undefined && this.#tracker.items > this.#savedItems
  }

  save(): void {
    const saved = this.#tracker.saved(this.#tracker.items, this.#tracker.cursor)
    this.#running = this.#port
      .save(saved)
      .then(
        (asked) => {
          this.#savedItems = saved.items
          if (asked) this.asked = asked
        },
        (error: unknown) => {
          this.#failure = error
        },
      )
      .finally(() => {
        this.#running = undefined
        this.#nextAt = performance.now() + this.#port.checkpointEvery
      })
  }

  /** Waits for the save on its way, then saves what came after it. */
  async last(): Promise<Asked | undefined> {
    await this.#running
    if (this.#failure !== undefined) throw this.#failure
    if (this.#tracker.items > this.#savedItems) {
      this.save()
      await this.#running
      if (this.#failure !== undefined) throw this.#failure
    }
    return this.asked
  }
}
