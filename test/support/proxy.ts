import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/**
 * When connections are cut, counted from the moment the cut is set, over all connections, from client to server.
 * `text`: at the message that holds it.
 */
export type Trigger = { readonly bytes: number } | { readonly messages: number } | { readonly text: string }

export interface TestProxy extends AsyncDisposable {
  /** The server's connection string, by way of the proxy. */
  readonly url: string
  /** Connections that are open now. */
  readonly open: number
  /** Delays everything by so many ms, each way. */
  latency: number
  /** Swallows everything, both ways, while connections stay open: a network that is gone, or a frozen host. */
  blackhole: boolean
  /** Resets every new connection: a server that is down. */
  refusing: boolean
  /** Connections that were reset by it. */
  readonly refused: number
  /** Resets all connections at once. */
  reset(): void
  /**
   * Resets the connection at the trigger, once. `lost: 'message'`: what triggers it, and all after, never reaches the server.
   * `lost: 'answer'`: it does, and the connection breaks when the server has begun to answer. Resolves when it has happened.
   */
  cut(at: Trigger, lost: 'message' | 'answer'): Promise<void>
  /**
   * Holds what a connection sends from the message with this text on, or what it is answered from then on, once. Resolves when the message
   * is there, or the server has begun to answer, with what lets it pass.
   */
  hold(text: string, what: 'message' | 'answer'): Promise<() => void>
  close(): Promise<void>
}

interface Cut {
  readonly at: Trigger
  readonly lost: 'message' | 'answer'
  readonly done: () => void
  seen: number
}

interface Hold {
  readonly text: string
  readonly what: 'message' | 'answer'
  readonly done: (release: () => void) => void
}

/** A TCP proxy before PostgreSQL, on loopback, that misbehaves on demand. It knows the protocol's messages, and nothing of what they say. */
export async function openProxy(target: string): Promise<TestProxy> {
  const { hostname, port } = new URL(target)
  const links = new Set<Link>()
  let cut: Cut | undefined
  let hold: Hold | undefined
  let refused = 0

  const due = (bytes: number, says: (text: string) => boolean): Cut | undefined => {
    if (cut === undefined) return undefined
    if ('text' in cut.at) return says(cut.at.text) ? cut : undefined
    cut.seen += 'bytes' in cut.at ? bytes : 1
    return cut.seen > ('bytes' in cut.at ? cut.at.bytes : cut.at.messages) ? cut : undefined
  }
  const strike = (link: Link, { done }: Cut) => {
    cut = undefined
    link.reset()
    done()
  }

  const server = createServer((client) => {
    if (proxy.refusing) {
      refused++
      client.resetAndDestroy()
      return
    }
    const link = new Link(client, connect(Number(port || 5432), hostname), proxy)
    links.add(link)
    link.onClose = () => links.delete(link)
    link.onMessage = (message, known) => {
      const says = (text: string) => message.includes(text) || known?.includes(text) === true
      if (hold !== undefined && says(hold.text)) {
        const { what, done } = hold
        hold = undefined
        link.hold(what, done)
      }
      const now = due(message.length, says)
      if (now === undefined) return 'forward'
      if (now.lost === 'answer') {
        link.onAnswer = () => strike(link, now)
        return 'forward'
      }
      strike(link, now)
      return 'drop'
    }
  })

  const proxy: TestProxy = {
    url: '',
    get open() {
      return links.size
    },
    latency: 0,
    blackhole: false,
    refusing: false,
    get refused() {
      return refused
    },
    reset() {
      for (const link of links) link.reset()
    },
    cut: (at, lost) =>
      new Promise((done) => {
        cut = { at, lost, done, seen: 0 }
      }),
    hold: (text, what) =>
      new Promise((done) => {
        hold = { text, what, done }
      }),
    async close() {
      proxy.reset()
      await new Promise((resolve) => server.close(resolve))
    },
    [Symbol.asyncDispose]: () => proxy.close(),
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(target)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  return Object.defineProperty(proxy, 'url', { value: url.href })
}

/** One client's connection and its counterpart to the server. */
class Link {
  /** `known`: the text of a statement that this message names, for it was prepared before. */
  onMessage: (message: Buffer, known: string | undefined) => 'forward' | 'drop' = () => 'forward'
  onAnswer: (() => void) | undefined
  onClose: () => void = () => {}
  readonly #client: Socket
  readonly #server: Socket
  #rest: Buffer = Buffer.alloc(0)
  #started = false
  readonly #prepared = new Map<string, { readonly text: string; fresh: boolean }>()
  readonly #held: { message: (() => void)[] | undefined; answer: (() => void)[] | undefined } = {
    message: undefined,
    answer: undefined,
  }
  #onKept = (): void => {}

  constructor(client: Socket, server: Socket, weather: Pick<TestProxy, 'latency' | 'blackhole'>) {
    this.#client = client
    this.#server = server
    const late = (pass: () => void) => {
      if (weather.blackhole) return
      if (weather.latency === 0) return pass()
      setTimeout(pass, weather.latency)
    }
    client.setNoDelay()
    server.setNoDelay()
    client.on('data', (chunk) => late(() => this.#fromClient(chunk)))
    server.on('data', (chunk) =>
      late(() => (this.onAnswer ? this.onAnswer() : this.#pass('answer', () => client.write(chunk)))),
    )
    for (const socket of [client, server]) {
      socket.on('error', () => this.reset())
      socket.on('close', () => this.reset())
    }
  }

  /** Keeps what goes one way, from the next of it on, until what `done` is given is called. */
  hold(what: 'message' | 'answer', done: Hold['done']): void {
    const kept: (() => void)[] = []
    this.#held[what] = kept
    const release = (): void => {
      this.#held[what] = undefined
      for (const pass of kept) pass()
    }
    this.#onKept = () => done(release)
  }

  #pass(what: 'message' | 'answer', pass: () => void): void {
    const kept = this.#held[what]
    if (kept === undefined) pass()
    else {
      if (kept.length === 0) this.#onKept()
      kept.push(pass)
    }
  }

  reset(): void {
    this.#client.resetAndDestroy()
    this.#server.resetAndDestroy()
    this.onClose()
  }

  /** Whole messages: a length after a letter; before the first, without one (the startup packet, which has no letter). */
  #fromClient(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    for (;;) {
      const head = this.#started ? 1 : 0
      if (this.#rest.length < head + 4) return
      const length = head + this.#rest.readInt32BE(head)
      if (this.#rest.length < length) return
      const message = this.#rest.subarray(0, length)
      this.#rest = this.#rest.subarray(length)
      this.#started = true
      if (this.onMessage(message, this.#known(message)) === 'drop' || this.#server.destroyed) return
      this.#pass('message', () => this.#server.write(message))
    }
  }
  /** A statement that has a name is sent once (Parse), and from then on only named (Bind). */
  #known(message: Buffer): string | undefined {
    const type = String.fromCharCode(message[0] as number)
    if (type === 'S') for (const statement of this.#prepared.values()) statement.fresh = false
    if (type !== 'P' && type !== 'B') return undefined
    const [first = '', second = ''] = message.toString('latin1', 5).split('\0', 2)
    if (type === 'P') {
      if (first !== '') this.#prepared.set(first, { text: second, fresh: true })
      return undefined
    }
    const statement = this.#prepared.get(second)
    return statement?.fresh === false ? statement.text : undefined
  }
}
