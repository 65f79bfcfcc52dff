import { readFileSync } from 'node:fs'

/** The version of a rival, as installed in `bench/node_modules`; undefined: not installed. */
export function installedVersion(name: string): string | undefined {
  try {
    const text = readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8')
    return (JSON.parse(text) as { version: string }).version
  } catch {
    return undefined
  }
}
