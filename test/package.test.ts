import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

const root = path.join(import.meta.dirname, '..')
const rootUrl = pathToFileURL(`${root}/`).href

/** What a fresh process loads when it imports one of our modules: our files, and the packages behind them. */
async function loadedBy(file: string): Promise<{ files: string[]; packages: string[] }> {
  const script = path.join(import.meta.dirname, 'support/loaded.mjs')
  const env = { ...process.env, HOLDFAST_TEST_IMPORT: new URL(file, rootUrl).href }
  const { stdout } = await promisify(execFile)(process.execPath, [script], { env, timeout: 30_000 })
  const urls: string[] = JSON.parse(stdout)
  const inside = urls.filter((url) => url.startsWith(rootUrl)).map((url) => url.slice(rootUrl.length))
  const packages = inside.map((file) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1])
  return {
    files: inside.filter((file) => file.startsWith('src/')),
    packages: [...new Set(packages.filter((name) => name !== undefined))].sort(),
  }
}

describe('a web server that imports holdfast', () => {
  const WORKER =
    /^src\/(engine\/(worker|execute|claim|lease|settle|upkeep)|tasks\/iterate\/|deploy\/|surfaces\/|cli\/|worker\.ts)/
  const CSV = /csv/

  test('loads neither the worker nor the CSV reader, and no package but the driver and the ids', async () => {
    const { files, packages } = await loadedBy('src/index.ts')
    expect(files).toContain('src/index.ts')
    expect(files.filter((file) => WORKER.test(file) || CSV.test(file))).toEqual([])
    expect(packages.filter((name) => !/^(pg($|-|pass$)|postgres-|split2$|xtend$|uuid$)/.test(name))).toEqual([])
  })

  test('would be caught loading them', async () => {
    const sources = await loadedBy('src/sources.ts')
    expect(sources.files.filter((file) => CSV.test(file))).not.toEqual([])
    const worker = await loadedBy('src/engine/worker.ts')
    expect(worker.files.filter((file) => WORKER.test(file))).not.toEqual([])
  })
})

interface Locked {
  readonly optionalDependencies?: Record<string, string>
  readonly hasInstallScript?: boolean
  readonly resolved?: string
}

describe('package-lock.json', () => {
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'))
  const locked = Object.entries(lock.packages as Record<string, Locked>)
  const nameOf = (place: string) => place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length)

  test('holds the binaries of every platform: an install on one must not forget the others', () => {
    const names = new Set(locked.map(([place]) => nameOf(place)))
    const wanted = locked.flatMap(([, entry]) => Object.keys(entry.optionalDependencies ?? {}))
    expect(wanted.length).toBeGreaterThan(50)
    expect(wanted.filter((name) => !names.has(name))).toEqual([])
  })

  test('runs the install scripts that package.json allows, and no others', () => {
    const scripted = locked.filter(([, entry]) => entry.hasInstallScript).map(([place]) => nameOf(place))
    expect([...new Set(scripted)].sort()).toEqual(Object.keys(manifest.allowScripts).sort())
  })

  test('names no registry', () => {
    expect(locked.filter(([, entry]) => entry.resolved !== undefined)).toEqual([])
  })
})
