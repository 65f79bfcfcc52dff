import { readdirSync, readlinkSync } from 'node:fs'
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { batches, csv, iterable, jsonl, nested, range, throttled } from '../../../src/sources.ts'
import type { Source } from '../../../src/tasks/source.ts'
import { collect, tempFile, testContext } from './support.ts'

const MANY_ROWS = `n\n${Array.from({ length: 50_000 }, (_, n) => `${n}\n`).join('')}`

/** How often this process holds a file open, as the kernel tells. */
function openCount(path: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path
    } catch {
      return false // the folder that is being read was one of them
    }
  }).length
}

describe.runIf(process.platform === 'linux').each([
  ['csv', (path: string) => csv(path)],
  ['jsonl', (path: string) => jsonl(path, {})],
  ['batches', (path: string) => batches(csv(path), 10)],
  ['throttled', (path: string) => throttled(csv(path), { limit: 1e6, per: '1s' })],
  ['nested', (path: string) => nested(range(0, 2), () => csv(path))],
])('%s leaves no file open', (_name, make: (path: string) => Source<unknown>) => {
  test('when the consumer breaks off', async () => {
    const path = tempFile(MANY_ROWS.replace('n\n', ''))
    let during = 0
    for await (const _ of make(path).open(undefined, testContext())) {
      during = openCount(path)
      break
    }
    expect({ during, after: openCount(path) }).toEqual({ during: 1, after: 0 })
  })

  test('when the signal aborts', async () => {
    const path = tempFile(MANY_ROWS.replace('n\n', ''))
    const context = testContext()
    const iterate = async () => {
      for await (const _ of make(path).open(undefined, context)) context.abort('deploy')
    }
    await expect(iterate()).rejects.toBe('deploy')
    expect(openCount(path)).toBe(0)
  })

  test('when an item cannot be read', async () => {
    const path = tempFile('1\n2\n"x\n')
    await expect(collect(make(path))).rejects.toThrow(/HF_SOURCE_FORMAT/)
    expect(openCount(path)).toBe(0)
  })

  test('when it comes to the end', async () => {
    const path = tempFile('1\n2\n3\n')
    await collect(make(path))
    expect(openCount(path)).toBe(0)
  })
})

describe('a stream that was opened for csv is destroyed', () => {
  const endless = () => {
    const stream = new Readable({
      read() {
        this.push('n\n1\n')
      },
    })
    return { stream, source: csv(() => stream) }
  }

  test('when the consumer breaks off', async () => {
    const { stream, source } = endless()
    for await (const _ of source.open(undefined, testContext())) break
    expect(stream.destroyed).toBe(true)
  })

  test('when the signal aborts while it hangs', async () => {
    const stream = new Readable({ read() {} })
    const context = testContext()
    setImmediate(() => context.abort('deploy'))
    await expect(
      collect(
        csv(() => stream),
        undefined,
        context,
      ),
    ).rejects.toBe('deploy')
    expect(stream.destroyed).toBe(true)
  })

  test('when the signal aborts before the function has opened it', async () => {
    const stream = new Readable({ read() {} })
    const context = testContext()
    let opened = (_stream: Readable) => {}
    const opening = new Promise<Readable>((resolve) => {
      opened = resolve
    })
    setImmediate(() => context.abort('deploy'))
    await expect(
      collect(
        csv(() => opening),
        undefined,
        context,
      ),
    ).rejects.toBe('deploy')
    opened(stream)
    await opening
    await new Promise((resolve) => setImmediate(resolve))
    expect(stream.destroyed).toBe(true)
  })

  test('a stream that breaks fails the run with its own error', async () => {
    const failure = new Error('connection reset')
    const stream = new Readable({
      read() {
        this.destroy(failure)
      },
    })
    await expect(collect(csv(() => stream))).rejects.toBe(failure)
  })
})

describe('an inner iterator is told that it is over', () => {
  /** A source that notes when its iterator is closed. */
  const watched = (closed: string[], name = 'inner'): Source<number> => ({
    name,
    async *open() {
      try {
        for (let n = 0; ; n++) yield { item: n, cursor: n }
      } finally {
        closed.push(name)
      }
    },
  })

  test.each([
    ['batches', (inner: Source<number>) => batches(inner, 2)],
    ['throttled', (inner: Source<number>) => throttled(inner, { limit: 1e6, per: '1s' })],
    ['nested, outer', (inner: Source<number>) => nested(inner, () => range(0, 1))],
    ['nested, inner', (inner: Source<number>) => nested(range(0, 3), () => inner)],
  ])('by %s, when the consumer breaks off', async (_name, around: (inner: Source<number>) => Source<unknown>) => {
    const closed: string[] = []
    for await (const _ of around(watched(closed)).open(undefined, testContext())) break
    expect(closed).toEqual(['inner'])
  })

  test('by iterable, when the consumer breaks off', async () => {
    const closed: string[] = []
    const items = async function* () {
      try {
        for (;;) yield 1
      } finally {
        await new Promise((resolve) => setImmediate(resolve))
        closed.push('items')
      }
    }
    for await (const _ of iterable(items).open(undefined, testContext())) break
    expect(closed).toEqual(['items'])
  })

  test('no listener stays on the signal', async () => {
    const context = testContext()
    let listeners = 0
    const { signal } = context
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--
      remove(...args)
    }
    await collect(iterable([1, 2]), undefined, context)
    await collect(
      csv(() => Readable.from([Buffer.from('a\n1\n')])),
      undefined,
      context,
    )
    await collect(throttled(range(0, 2), { while: async () => false }), undefined, context)
    expect(listeners).toBe(0)
  })
})
