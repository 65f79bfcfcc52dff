/** What every job of the comparisons carries: about 100 bytes of JSON. */
export interface Payload {
  readonly orderId: string
  readonly customer: string
  readonly amount: number
  readonly currency: string
  readonly items: readonly string[]
  /** When it was sent, ms on the shared clock; 0 where nobody asks. */
  readonly sentAt: number
}

export function payload(n: number, sentAt = 0): Payload {
  return {
    orderId: `order-${n}`,
    customer: `customer-${n % 1000}`,
    amount: n % 500,
    currency: 'EUR',
    items: ['a', 'b'],
    sentAt,
  }
}

export interface WorkSettings {
  /** Jobs that one worker may hold at the same time; undefined: what the system does when nobody says. */
  readonly inFlight?: number
  /** Keep finished jobs, where that can be chosen. */
  readonly history?: boolean
  /** Settings of this system alone. */
  readonly more?: Readonly<Record<string, number | boolean>>
  /** The worker waits for single jobs, instead of working off a heap of them. */
  readonly idle?: boolean
}

export interface Producer {
  /** One call, one job. Resolves after its commit. */
  one(payload: Payload): Promise<void>
  /** Many jobs, the quickest way that the system has, at most two calls of 1,000 at the same time. Resolves after the last commit. */
  many(payloads: Iterable<Payload>): Promise<void>
  close(): Promise<void>
}

export interface Working {
  /** Lets running jobs end, gives back what was not started, and leaves. */
  stop(): Promise<void>
}

/** A job system under test: the same few verbs for all. */
export interface System {
  readonly name: string
  readonly version: string
  /** What "default" means here, for the record. */
  readonly defaults: string
  /** Makes tables and queues. `idle`: for workers that wait for single jobs, where a queue must be told so. */
  prepare(url: string, idle?: boolean): Promise<void>
  produce(url: string): Promise<Producer>
  work(url: string, settings: WorkSettings, onJob: (payload: Payload) => void): Promise<Working>
  /** SQL: how many jobs have not been finished. */
  readonly unfinished: string
}

/** Sends an iterable in calls of 1,000, two at a time. */
export async function inCalls(
  payloads: Iterable<Payload>,
  call: (batch: Payload[]) => Promise<unknown>,
): Promise<void> {
  const batches = inBatches(payloads, 1_000)
  const sender = async () => {
    for (const batch of batches) await call(batch)
  }
  await Promise.all([sender(), sender()])
}

function* inBatches(payloads: Iterable<Payload>, size: number): Generator<Payload[]> {
  let batch: Payload[] = []
  for (const each of payloads) {
    batch.push(each)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

export function* payloads(count: number, from = 0): Generator<Payload> {
  for (let n = from; n < from + count; n++) yield payload(n)
}
