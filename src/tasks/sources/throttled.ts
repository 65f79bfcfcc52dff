import { type Duration, parseDuration } from '../../model/duration.ts'
import type { Source, SourceContext, SourceItem } from '../source.ts'
import { orAborted, waitOrSnooze } from './abort.ts'
import { refuseOption, requireFunction, requireOptions, requireSource, requireWhole } from './check.ts'

/** At most `limit` items in `per`, evenly spread. For this job alone: a rate for all jobs of a queue belongs to the queue. */
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
 * The items of a source, held back. Waits of up to a second are waited for; for a longer one the job gives its slot back and
 * comes again (`Snooze`), so that a slow job blocks nobody. The cursor is the source's own: the throttle may be added, changed or
 * removed while jobs are under way. The idea of the throttle around an enumerator is job-iteration's.
 */
export function throttled<Item>(source: Source<Item>, limit: RateLimit | PauseWhile): Source<Item> {
  requireSource('The source of throttled()', source)
  requireOptions('throttled()', limit, 'while' in Object(limit) ? ['while', 'every'] : ['limit', 'per'])
  const gate = 'while' in limit ? whileGate(limit) : rateGate(limit)
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
  requireFunction('`while` of throttled()', limit.while)
  const every = parseDuration(limit.every ?? '30s', '`every` of throttled()')
  if (every === 0) refuseOption('`every` of throttled()', 'longer than 0', limit.every)
  return () => async (context) => {
    for (;;) {
      const answer = limit.while()
      if (!(typeof answer === 'boolean' ? answer : await orAborted(answer, context.signal))) return
      await waitOrSnooze(every, context)
    }
  }
}

/** Timers are late by a millisecond or more. This much may be caught up, so that 5,000 a second are 5,000 and not 800. */
const SLACK_MS = 20

/**
 * A token bucket that holds next to nothing, so that items come evenly instead of in bursts. It lives in memory: after a resume the
 * first item comes at once.
 */
function rateGate({ limit, per }: RateLimit): () => Gate {
  requireWhole('`limit` of throttled()', limit, 1)
  const period = parseDuration(per, '`per` of throttled()')
  if (period === 0) refuseOption('`per` of throttled()', 'longer than 0', per)
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
