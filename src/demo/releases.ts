import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'

export interface Release {
  readonly number: number
  /** What its worker says it runs. */
  readonly build: string
  readonly folder: string
  readonly app: string
}

const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
const SOURCE = new URL(`./app${EXTENSION}`, import.meta.url)

/** Writes the code of a release into a folder of its own: `app.ts`, with another stamp on its rows and other batches. */
export async function writeRelease(number: number, batch: number, home: string): Promise<Release> {
  const build = `release-${number}`
  const folder = path.join(home, build)
  const app = path.join(folder, `holdfast.config${EXTENSION}`)
  const text = await readFile(SOURCE, 'utf8')
  const code = anchor(setConstant(setConstant(text, 'RELEASE', number), 'BATCH', batch), SOURCE)
  await mkdir(folder)
  await writeFile(app, code)
  await writeFile(
    path.join(folder, 'package.json'),
    JSON.stringify({ name: 'places', version: `${number}.0.0`, type: 'module' }),
  )
  return { number, build, folder, app }
}

/** @param value plain JSON */
export function setConstant(code: string, name: string, value: unknown): string {
  const found = new RegExp(`^const ${name} = .*$`, 'm')
  if (!found.test(code)) throw new Error(`There is no constant ${name} in the code of the demo`)
  return code.replace(found, () => `const ${name} = ${JSON.stringify(value)}`)
}

/** Code that lies elsewhere than its source still imports what its source does. */
export function anchor(code: string, source: URL): string {
  return code.replaceAll(
    /(from\s+)(['"])(\.[^'"]+)\2/g,
    (_, from: string, __, file: string) => `${from}${JSON.stringify(new URL(file, source).href)}`,
  )
}
