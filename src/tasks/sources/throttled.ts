import { type Duration, MAX_DURATION_MS } from '../../model/duration.ts'
import { checkDuration, checkInteger, checkKeys } from '../../model/options.ts'
import type { Source, SourceContext, SourceItem } from '../source.ts'
import { orAborted, waitOrSnooze } from './abort.ts'
import { requireFunction, requireSource } from './check.ts'

/**
 * At most `limit` items in `per`, evenly spread. For this job alone: a rate for all jobs of a queue belongs to the
 * queue.
 */
export interface RateLimit {
  readonly limit: number
  readonly per: Duration
}

/** Pause while something is true: replica lag, a maintenance window, a queue that is too long. */
export interface PauseWhile {
  /** Asked before every item, so throttle batches, not rows, when asking is expensive. */
  readonly while: () => boolean | Promise<boolean>
  /** How long to stay away before asking again. Default 30 s. */
  readonly every?: Duration
}

/**
 * The items of a source, held back. Waits of up to a second are waited for; for a longer one the job gives its slot
 * back and comes again (`Snooze`), so that a slow job blocks nobody. The cursor is the source's own: the throttle may
 * be added, changed or removed while jobs are under way. The idea of the throttle around an enumerator is
 * job-iteration's.
 */
export function throttled<Item>(source: Source<Item>, limit: RateLimit | PauseWhile): Source<Item> {
  requireSource('The source of throttled()', source)
  const gate = 'while' in Object(limit) ? whileGate(limit as PauseWhile) : rateGate(limit as RateLimit)
  return {
    name: `${source.name}, throttled`,
    open: (cursor, context) => held(source.open(cursor, context), gate(), context),
    ...(source.count !== undefined && { count: source.count.bind(source) }),
  }
}

/** Resolves when the next item may come. */
type Gate = (context: SourceContext) => Promise<void> | void

async function* held<Item>(
  items: AsyncIterable<SourceItem<Item>>,
  gate: Gate,
  context: SourceContext,
): AsyncGenerator<SourceItem<Item>, void> {
  await gate(context)
  for await (const item of items) {
    yield item
    await gate(context)
  }
}

function whileGate(limit: PauseWhile): () => Gate {
  checkKeys(limit, ['while', 'every'], 'throttled()')
  requireFunction('`while` of throttled()', limit.while)
  const every = checkDuration(limit.every ?? '30s', 1, MAX_DURATION_MS, '`every` of throttled()')
  return () => async (context) => {
    for (;;) {
      const answer = limit.while()
      if (!(typeof answer === 'boolean' ? answer : await orAborted(answer, context.signal))) return
      await waitOrSnooze(every, context)
    }
  }
}

/**
 * Timers are late by a millisecond or more. This much may be caught up, so that 5,000 a second are 5,000 and not 800.
 */
const SLACK_MS = 20

/**
 * A token bucket that holds next to nothing, so that items come evenly instead of in bursts. It lives in memory:
 * after a resume the first item comes at once.
 */
function rateGate(rate: RateLimit): () => Gate {
  const { limit, per } = checkKeys(rate, ['limit', 'per'], 'throttled()')
  checkInteger(limit, 1, 1_000_000_000, '`limit` of throttled()')
  const period = checkDuration(per, 1, MAX_DURATION_MS, '`per` of throttled()')
  const interval = period / limit
  const slack = Math.min(SLACK_MS, period / 20)
  return () => {
    let due = Number.NEGATIVE_INFINITY
    return (context) => {
      const now = performance.now()
      const wait = due - now
      due = Math.max(due, now - slack) + interval
      if (wait > 0) return waitOrSnooze(wait, context)
    }
  }
}
