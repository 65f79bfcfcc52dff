/** One client process of any system: enqueues as told and says how long it took. */
import pg from 'pg'
import { now } from '../support/clock.ts'
import { answer, config, say } from '../support/inside.ts'
import { number } from '../support/server.ts'
import { systemOf } from '../systems/all.ts'
import { payload, payloads } from '../systems/system.ts'

const { system, url } = config<{ system: string; url: string }>()
const producer = await systemOf(system).produce(url)
const witness = new pg.Client(url)
await witness.connect()

const STREAM_EVERY_MS = 20
let streaming = false
let streamed = 0

/** `callers` callers, each of which makes its next call when its last one was acknowledged. @returns the calls made. */
async function calls(ms: number, callers: number, onAcknowledged: (calls: number) => void = () => {}): Promise<number> {
  const until = now() + ms
  let acknowledged = 0
  const caller = async (first: number) => {
    for (let n = first; now() < until; n += callers) {
      await producer.one(payload(n))
      onAcknowledged(++acknowledged)
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, first) => caller(first)))
  return acknowledged
}

/** While `callers` callers enqueue, another connection looks: what was acknowledged when it asked must be there. */
async function acknowledgedTooEarly(ms: number, callers: number): Promise<{ looks: number; early: number }> {
  const before = await look()
  let acknowledged = 0
  let looks = 0
  let early = 0
  let looking = false
  const watch = async () => {
    looking = true
    const expected = before + acknowledged
    if ((await look()) < expected) early++
    looks++
    looking = false
  }
  await calls(ms, callers, (so) => {
    acknowledged = so
    if (!looking) void watch()
  })
  return { looks, early }
}

function look(): Promise<number> {
  return number(witness, systemOf(system).unfinished)
}

answer({
  /** For so many ms. */
  calls: async ({ ms, callers }) => {
    const begun = now()
    const jobs = await calls(Number(ms), Number(callers))
    say('calls', { jobs, ms: now() - begun })
  },
  bulk: async ({ jobs }) => {
    const begun = now()
    await producer.many(payloads(Number(jobs)))
    say('bulk', { jobs, ms: now() - begun })
  },
  early: async ({ ms, callers }) => say('early', await acknowledgedTooEarly(Number(ms), Number(callers))),
  /** Single jobs at an even pace, each with the time of its call. */
  pace: async ({ count, every }) => {
    const begun = now()
    const sent: Promise<void>[] = []
    for (let n = 0; n < Number(count); n++) {
      const wait = begun + n * Number(every) - now()
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
      sent.push(producer.one(payload(n, now())))
    }
    await Promise.all(sent)
    say('pace')
  },
  /** Jobs at an even rate, in small batches, each with the time of its call; what was late is made up for. */
  stream: async ({ rate }) => {
    const begun = now()
    const before = streamed
    streaming = true
    while (streaming) {
      const due = before + Math.floor(((now() - begun) * Number(rate)) / 1_000) - streamed
      const sentAt = now()
      if (due > 0) await producer.many(Array.from({ length: due }, (_, n) => payload(streamed + n, sentAt)))
      streamed += due
      await new Promise((resolve) => setTimeout(resolve, Math.max(1, STREAM_EVERY_MS - (now() - sentAt))))
    }
    say('halt', { sent: streamed })
  },
  sent: () => say('sent', { sent: streamed }),
  halt: () => {
    streaming = false
  },
  stop: async () => {
    await producer.close()
    await witness.end()
    say('stop')
    process.disconnect?.()
    process.exit(0)
  },
})
say('ready')
