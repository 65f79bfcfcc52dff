import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { fleet, type ItemEvent } from '../systems/fleet.ts'
import { holdfast } from '../systems/holdfast.ts'
import { payload, payloads } from '../systems/system.ts'
import { type Child, type Message, startChild } from './child.ts'
import { now } from './clock.ts'
import { type Left, leaving, startFleetChild } from './fleet-child.ts'
import { FreshWorker } from './fresh-worker.ts'
import { percentile } from './statistics.ts'

export interface Slice {
  /** Jobs a second, run and enqueued. */
  readonly rate: number
  readonly sent: number
  /** From the call of enqueue to the start of the code, ms. */
  readonly p50: number
  readonly p99: number
  /** Jobs that had been enqueued and not run at its end. */
  readonly behind: number
}

export interface Watched {
  readonly slices: Slice[]
  /** From the stop signal to the first item elsewhere, ms. */
  readonly handBacks: number[]
  /** From the commit to the start of the code, ms. */
  readonly lates: number[]
  /** Jobs that were not seen again within 20 s. */
  missed: number
}

export interface WatchOptions {
  /** ms in all, of a slice, and from one rotation to the next. */
  readonly ms: number
  readonly slice: number
  readonly rotate: number
  /** ms that a late job's transaction stays open; left out: no late jobs. */
  readonly late?: number
}

const CONCURRENCY = 500
const WALKS = 10
const MISSED_MS = 20_000

interface Counted {
  readonly at: number
  readonly sent: number
  readonly handled: number
  readonly waits: readonly number[]
}

/** A producer at a fixed rate and two workers, the older of which is replaced again and again. */
export class Stream {
  readonly #url: string
  readonly #rate: number
  readonly #say: (line: string) => void
  readonly #client: ReturnType<typeof fleet>
  readonly #itemSeen = new Map<string, (item: ItemEvent) => void>()
  readonly #lateSeen = new Map<string, (at: number) => void>()
  #producer: Child | undefined
  #workers: Child[] = []
  /** By workers that have left, and by whoever else than the producer. */
  #handledBefore = 0
  #sentBeside = 0
  #waitsBefore: number[] = []
  #walks: string[] = []
  #lates = 0

  constructor(url: string, rate: number, say: (line: string) => void) {
    this.#url = url
    this.#rate = rate
    this.#say = say
    this.#client = fleet(url)
  }

  async start(): Promise<void> {
    if (this.#producer === undefined) {
      this.#producer = startChild('producer', { system: holdfast.name, url: this.#url })
      await this.#producer.heard('ready')
    }
    this.#workers = [await this.#startWorker()]
    this.#walks = []
    for (let n = 0; n < WALKS; n++) {
      const { id } = await this.#client.jobs.enqueue(this.#client.walk)
      this.#walks.push(id)
      await this.#itemOf(id)
    }
    this.#workers.push(await this.#startWorker())
    this.#producer.send({ said: 'stream', rate: this.#rate })
  }

  /** The producer pauses, what waits is run, the workers leave. */
  async stop(): Promise<void> {
    await this.#producer?.ask({ said: 'halt' })
    for (const id of this.#walks) await this.#client.jobs.cancel(id)
    await this.#untilAllRun()
    await Promise.all(this.#workers.map((worker) => this.#retire(worker)))
    this.#workers = []
  }

  async watch({ ms, slice, rotate, late }: WatchOptions): Promise<Watched> {
    const watched: Watched = { slices: [], handBacks: [], lates: [], missed: 0 }
    const until = now() + ms
    let rotateAt = now() + rotate / 2
    const others: Promise<void>[] = []
    let last = await this.#count()
    while (now() < until - slice / 2) {
      const sliceEnd = last.at + slice
      if (late !== undefined) others.push(this.#lateJob(late, watched))
      if (rotateAt < sliceEnd) {
        others.push(this.#rotate(watched))
        rotateAt += rotate
      }
      await sleep(Math.max(0, sliceEnd - now()))
      const next = await this.#count()
      watched.slices.push(sliceOf(last, next))
      last = next
      const { rate, p99, behind } = watched.slices.at(-1) as Slice
      this.#say(`${Math.round(rate).toLocaleString('en-US')} jobs/s, wait p99 ${p99.toFixed(1)} ms, ${behind} behind`)
    }
    await Promise.all(others)
    return watched
  }

  /** A worker that starts onto a heap of jobs, alone: how fast it gets, and how soon. */
  async freshWorker(burst: number): Promise<FreshWorker> {
    await this.#client.jobs.enqueueMany(this.#client.noop, payloads(burst))
    this.#sentBeside += burst
    const spawnedAt = now()
    const worker = await this.#startWorker()
    this.#workers = [worker]
    await this.#untilAllRun()
    const told = await worker.ask<Message & { startedAt: number; timeline: [number, number][] }>({ said: 'timeline' })
    await this.#retire(worker)
    this.#workers = []
    return new FreshWorker(spawnedAt, told.startedAt, told.timeline)
  }

  /** @returns what was sent and what was run in all. */
  async finish(): Promise<{ sent: number; handled: number }> {
    const { sent, handled } = await this.#count()
    await this.#producer?.ask({ said: 'stop' })
    await this.#client.jobs.close()
    return { sent, handled }
  }

  async #startWorker(): Promise<Child> {
    const worker = await startFleetChild({ url: this.#url, concurrency: CONCURRENCY })
    worker.on((message) => {
      if (message.said === 'item') this.#itemSeen.get(String(message['job']))?.(message as Message & ItemEvent)
      if (message.said === 'late') this.#lateSeen.get(String(message['orderId']))?.(Number(message['at']))
    })
    return worker
  }

  async #retire(worker: Child): Promise<void> {
    worker.signal('SIGTERM')
    this.#add(await leaving(worker))
    await worker.exited
  }

  #add({ handled, waits }: Left): void {
    this.#handledBefore += handled
    this.#waitsBefore.push(...waits)
  }

  /** The older worker, which holds the iterations, is stopped; a new one takes its place. */
  async #rotate(watched: Watched): Promise<void> {
    const [old, ...rest] = this.#workers
    if (old === undefined) return
    this.#workers = rest
    const back = this.#walks.map((id) => this.#itemOf(id))
    const stopped = old.signal('SIGTERM')
    const left = leaving(old).then((said) => this.#add(said))
    const items = await Promise.all(back)
    for (const item of items) {
      if (item === undefined) watched.missed++
      else watched.handBacks.push(item.at - stopped)
    }
    await left
    this.#workers.push(await this.#startWorker())
  }

  /** A job whose transaction stays open while thousands of younger ones pass it by. */
  async #lateJob(ms: number, watched: Watched): Promise<void> {
    const orderId = `late-${this.#lates++}`
    const seen = new Promise<number>((resolve) => this.#lateSeen.set(orderId, resolve))
    const client = new pg.Client(this.#url)
    await client.connect()
    await client.query('begin')
    await this.#client.jobs.enqueue(this.#client.noop, { ...payload(0), orderId }, { tx: client })
    await sleep(ms)
    await client.query('commit')
    const committed = now()
    this.#sentBeside++
    await client.end()
    const at = await Promise.race([seen, sleep(MISSED_MS, undefined, { ref: false })])
    if (at === undefined) watched.missed++
    else watched.lates.push(at - committed)
  }

  #itemOf(id: string): Promise<ItemEvent | undefined> {
    const seen = new Promise<ItemEvent>((resolve) => this.#itemSeen.set(id, resolve))
    return Promise.race([seen, sleep(MISSED_MS, undefined, { ref: false })])
  }

  async #count(): Promise<Counted> {
    const sent = await this.#producer?.ask<Message & { sent: number }>({ said: 'sent' })
    const samples = await Promise.all(
      this.#workers.map((worker) =>
        worker
          .ask<Message & { handled: number; waits: number[] }>({ said: 'sample' })
          .catch(() => ({ handled: 0, waits: [] })),
      ),
    )
    const waits = [...this.#waitsBefore, ...samples.flatMap((sample) => sample.waits)]
    this.#waitsBefore = []
    const handled = samples.reduce((sum, sample) => sum + sample.handled, this.#handledBefore)
    return { at: now(), sent: (sent?.sent ?? 0) + this.#sentBeside, handled, waits }
  }

  /** By the workers' own counts: looking into the tables would read all dead rows again and again. */
  async #untilAllRun(): Promise<void> {
    const deadline = now() + 120_000
    for (;;) {
      const { sent, handled } = await this.#count()
      if (handled >= sent) return
      if (now() > deadline) throw new Error(`after two minutes ${sent - handled} jobs are not done`)
      await sleep(50)
    }
  }
}

function sliceOf(from: Counted, to: Counted): Slice {
  const seconds = (to.at - from.at) / 1_000
  return {
    rate: (to.handled - from.handled) / seconds,
    sent: (to.sent - from.sent) / seconds,
    p50: percentile(to.waits, 50),
    p99: percentile(to.waits, 99),
    behind: to.sent - to.handled,
  }
}
