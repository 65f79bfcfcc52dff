import { readFileSync } from 'node:fs'
import path from 'node:path'

const MOST = 128

/** Which app this is, where several share a database: as it was told, else as the package of the config is called. */
export function appName(config: string): string {
  const told = process.env['HOLDFAST_APP']
  if (told !== undefined && told !== '') return told.slice(0, MOST)
  for (let folder = path.dirname(config); ; folder = path.dirname(folder)) {
    const name = packageName(path.join(folder, 'package.json'))
    if (name !== undefined) return name.slice(0, MOST)
    if (folder === path.dirname(folder)) return ''
  }
}

function packageName(file: string): string | undefined {
  try {
    const { name } = JSON.parse(readFileSync(file, 'utf8')) as { name?: unknown }
    return typeof name === 'string' && name !== '' ? name : undefined
  } catch {
    return undefined
  }
}
