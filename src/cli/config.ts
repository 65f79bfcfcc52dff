import { existsSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { type AppInternals, appOf } from '../internals.ts'
import { HoldfastError } from '../model/errors.ts'
import type { App } from '../tasks/client.ts'
import { isOurs, messageOf } from './failure.ts'

export const CONFIG_NAMES = ['holdfast.config.ts', 'holdfast.config.mts', 'holdfast.config.js', 'holdfast.config.mjs']

/** What a config file gave. Both may come from another copy of this package, found by registered symbols. */
export interface LoadedApp {
  readonly file: string
  readonly app: App<string, unknown>
  readonly internals: AppInternals
}

/**
 * The config file: the one that was named, else the nearest one upwards.
 * @throws {HoldfastError} HF_CONFIG_NOT_FOUND when the named one is not there
 */
export function findConfig(named: string | undefined, from = process.cwd()): string | undefined {
  if (named !== undefined) {
    const file = path.resolve(from, named)
    if (existsSync(file)) return file
    throw new HoldfastError('HF_CONFIG_NOT_FOUND', `There is no file ${file}.`)
  }
  for (let folder = path.resolve(from); ; folder = path.dirname(folder)) {
    const file = CONFIG_NAMES.map((name) => path.join(folder, name)).find((each) => existsSync(each))
    if (file !== undefined) return file
    if (folder === path.dirname(folder)) return undefined
  }
}

/** @throws {HoldfastError} HF_CONFIG_NOT_FOUND, HF_CONFIG_LOAD, and whatever of ours the file's own code raised */
export async function loadApp(named: string | undefined): Promise<LoadedApp> {
  const file = findConfig(named)
  if (file === undefined) {
    throw new HoldfastError(
      'HF_CONFIG_NOT_FOUND',
      `There is no holdfast.config.ts in ${process.cwd()} or a folder above.`,
    )
  }
  return load(file)
}

export async function load(file: string): Promise<LoadedApp> {
  // The project's own database belongs to the folder of the config, wherever in it the command runs.
  process.env['HOLDFAST_PROJECT'] ??= path.dirname(file)
  const loaded = await importFile(file)
  for (const candidate of exportsOf(loaded)) {
    const internals = appOf(candidate)
    if (internals !== undefined) return { file, app: candidate as App<string, unknown>, internals }
  }
  throw new HoldfastError('HF_CONFIG_LOAD', `The default export of ${file} is not an app.`)
}

/** A file that was compiled to CommonJS carries its default export one level further in. */
function exportsOf(loaded: unknown): unknown[] {
  const outer = (loaded as { default?: unknown } | null)?.default
  return [outer, (outer as { default?: unknown } | null | undefined)?.default]
}

/** By node itself, which knows types in a module. What it cannot read (enums, a CommonJS package, paths without extensions), jiti can. */
async function importFile(file: string): Promise<unknown> {
  hushLoader()
  try {
    return await import(pathToFileURL(file).href)
  } catch (error) {
    if (!isNodesLimit(error)) throw loadFailure(file, error)
    return importWithJiti(file, error)
  }
}

async function importWithJiti(file: string, first: unknown): Promise<unknown> {
  const { createJiti } = await import('jiti')
  // No cache on disk: it may lie in a folder that others can write to, and it holds code.
  const jiti = createJiti(pathToFileURL(file).href, { fsCache: false, tsconfigPaths: true, interopDefault: true })
  try {
    return await jiti.import(file)
  } catch (error) {
    // Missing for both: node says who imports it.
    throw loadFailure(file, isMissing(error) && isMissing(first) ? first : error)
  }
}

/** Raised before any code of the app has run, so that a second try runs nothing twice. */
function isNodesLimit(error: unknown): boolean {
  return error instanceof SyntaxError || LIMITS.has(codeOf(error))
}

const MISSING = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND', 'ERR_PACKAGE_PATH_NOT_EXPORTED']
const LIMITS = new Set([
  ...MISSING,
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_UNSUPPORTED_DIR_IMPORT',
  'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING',
  'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX',
  'ERR_INVALID_TYPESCRIPT_SYNTAX',
  'ERR_REQUIRE_ESM',
  'ERR_REQUIRE_CYCLE_MODULE',
])

function isMissing(error: unknown): boolean {
  return MISSING.includes(codeOf(error))
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code ?? '')
}

function loadFailure(file: string, error: unknown): unknown {
  if (isOurs(error)) return error
  const place = placeOf(error)
  return new HoldfastError('HF_CONFIG_LOAD', `${file} could not be loaded: ${oneLine(messageOf(error))}${place}.`, {
    cause: error,
  })
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}

/** Where in the user's own files it happened: more of the stack would tell about node and jiti. */
function placeOf(error: unknown): string {
  const lines = error instanceof Error ? (error.stack ?? '').split('\n') : []
  const frame = lines.find(
    (line) => /^\s+at .*[/\\]/.test(line) && !/node:|node_modules|[/\\]src[/\\]cli[/\\]config\.ts/.test(line),
  )
  if (frame !== undefined)
    return ` (${frame
      .trim()
      .replace(/^at (?:.*\()?(?:file:\/\/)?/, '')
      .replace(/\)$/, '')})`
  // Of what does not parse, node puts the place above the message.
  const first = lines[0] ?? ''
  return /:\d+$/.test(first) ? ` (${first.replace(/^file:\/\//, '')})` : ''
}

const HUSHED = /type stripping|failed to load the es module|module type of file/i

/** Node remarks that types are young and that a package.json names no module type; with every command that would be noise. */
function hushLoader(): void {
  const listeners = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (!HUSHED.test(warning.message)) for (const listener of listeners) listener.call(process, warning)
  })
}
