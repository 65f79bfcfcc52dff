import { readFileSync } from 'node:fs'
import path from 'node:path'

/** Beside the config of the new code; holds the token of its deploy. */
export const TOKEN_FILE = '.holdfast-deploy'
const MOST = 128

/** Of which deploy this code says that it is the new one: that one does not hold its workers. */
export function deployToken(config: string): string | undefined {
  const told = process.env['HOLDFAST_DEPLOY']?.trim()
  return (told === undefined || told === '' ? tokenBeside(config) : told)?.slice(0, MOST)
}

function tokenBeside(config: string): string | undefined {
  try {
    return readFileSync(path.join(path.dirname(config), TOKEN_FILE), 'utf8').trim() || undefined
  } catch {
    return undefined
  }
}
