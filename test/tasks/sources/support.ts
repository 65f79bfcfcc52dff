import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Source, SourceContext, SourceItem } from '../../../src/tasks/source.ts'

export interface TestContext extends SourceContext {
  readonly warnings: string[]
  abort(reason?: unknown): void
}

/** What the engine lends to a source, without an engine. */
export function testContext(overrides: Partial<SourceContext> = {}): TestContext {
  const controller = new AbortController()
  const warnings: string[] = []
  return {
    signal: controller.signal,
    query: async () => {
      throw new Error('this source has no business with the database')
    },
    warn: (message) => warnings.push(message),
    ...overrides,
    warnings,
    abort: (reason) => controller.abort(reason),
  }
}

/** Everything from a cursor on. The cursor makes its way through JSON, as between two runs of a job. */
export async function collect<Item>(
  source: Source<Item>,
  cursor?: unknown,
  context: SourceContext = testContext(),
): Promise<SourceItem<Item>[]> {
  const items: SourceItem<Item>[] = []
  for await (const item of source.open(throughJson(cursor), context)) items.push(item)
  return items
}

export async function itemsOf<Item>(source: Source<Item>, cursor?: unknown, context?: SourceContext): Promise<Item[]> {
  return (await collect(source, cursor, context)).map(({ item }) => item)
}

/** What comes before an error, and the error. */
export async function untilError(
  source: Source<unknown>,
  cursor?: unknown,
  context: SourceContext = testContext(),
): Promise<{ items: unknown[]; last: unknown; error: unknown }> {
  const items: unknown[] = []
  let last: unknown
  try {
    for await (const { item, cursor: after } of source.open(throughJson(cursor), context)) {
      items.push(item)
      last = after
    }
  } catch (error) {
    return { items, last, error }
  }
  throw new Error(`there should have been an error after ${JSON.stringify(items)}`)
}

export function throughJson(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value))
}

/** A file in a folder of its own, which goes when the test is over. */
export function tempFile(content: string | Uint8Array, name = 'data'): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-sources-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

/** A stream factory over bytes in memory, in chunks of a given size: borders fall inside characters, quotes and line breaks. */
export function inChunks(content: string | Uint8Array, size: number): (offset: number) => AsyncIterable<Uint8Array> {
  const bytes = Buffer.from(content as string)
  return async function* (offset) {
    for (let at = offset; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
  }
}
