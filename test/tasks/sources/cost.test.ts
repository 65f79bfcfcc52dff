import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { array, range } from '../../../src/sources.ts'
import { testContext } from './support.ts'

const root = new URL('../../../', import.meta.url).pathname

function inNode(script: string, ...flags: string[]): string {
  return execFileSync(process.execPath, [...flags, '--input-type=module', '--eval', script], {
    cwd: root,
    encoding: 'utf8',
  })
}

test('importing holdfast/sources loads neither the CSV parser nor the PostgreSQL client', () => {
  const script = `
    import { registerHooks } from 'node:module'
    const packages = new Set()
    registerHooks({
      resolve(name, context, next) {
        const found = next(name, context)
        packages.add(found.url.includes('/node_modules/') ? found.url.split('/node_modules/')[1].split('/')[0] : 'own')
        return found
      },
    })
    const { csv } = await import('./src/sources.ts')
    const light = [...packages]
    const context = { signal: new AbortController().signal }
    for await (const _ of csv(async function* () {}, { columns: ['a'] }).open(undefined, context));
    console.log(JSON.stringify({ light, reading: [...packages] }))`
  expect(JSON.parse(inNode(script))).toEqual({ light: ['own'], reading: ['own', 'csv-parse'] })
})

test('the memory of csv and jsonl does not grow with the file', () => {
  // 48 MB, made on the fly, in a process that looks at its own memory all the while.
  const script = `
    import { csv, jsonl } from './src/sources.ts'
    const context = { signal: new AbortController().signal, warn() {} }
    const peak = async (open, line, header) => {
      const chunk = Buffer.from(line.repeat(Math.ceil(64 * 1024 / line.length)))
      const source = open(async function* () {
        if (header) yield Buffer.from(header)
        for (let sent = 0; sent < 24e6; sent += chunk.length) yield Buffer.from(chunk)
      })
      let rows = 0, most = 0
      for await (const _ of source.open(undefined, context)) {
        if (++rows % 20_000 !== 0) continue
        gc()
        const { heapUsed, external } = process.memoryUsage()
        most = Math.max(most, heapUsed + external)
      }
      return { rows, most: most / 1e6 }
    }
    gc()
    const { heapUsed, external } = process.memoryUsage()
    const start = (heapUsed + external) / 1e6
    const a = await peak(csv, '12345,some name,"a, b",2026-01-01,and a note of some length\\n', 'a,b,c,d,e\\n')
    const b = await peak(jsonl, '{"id":12345,"name":"some name","note":"and a note of some length"}\\n')
    console.log(JSON.stringify({ start, csv: a, jsonl: b }))`
  const { start, csv, jsonl } = JSON.parse(inNode(script, '--expose-gc'))
  expect(csv.rows).toBeGreaterThan(300_000)
  expect(jsonl.rows).toBeGreaterThan(300_000)
  expect(csv.most - start).toBeLessThan(10)
  expect(jsonl.most - start).toBeLessThan(10)
})

describe('an item costs well under a microsecond more than a bare async generator', { retry: 2 }, () => {
  const COUNT = 100_000
  const numbers = Array.from({ length: COUNT }, (_, n) => n)

  async function* bare() {
    for (let n = 0; n < COUNT; n++) yield n
  }

  /** Nanoseconds an item, the best of three: a busy machine makes it slower, never faster. */
  async function cost(open: () => AsyncIterable<unknown>): Promise<number> {
    let best = Number.POSITIVE_INFINITY
    for (let round = 0; round < 3; round++) {
      const began = performance.now()
      for await (const _ of open());
      best = Math.min(best, ((performance.now() - began) * 1e6) / COUNT)
    }
    return best
  }

  test.each([
    ['range', () => range(0, COUNT).open(undefined, testContext())],
    ['array', () => array(numbers).open(undefined, testContext())],
  ])('%s', async (_name, open) => {
    expect((await cost(open)) - (await cost(bare))).toBeLessThan(500)
  })
})
