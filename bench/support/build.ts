import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** `dist`, which is what users start: where a start counts, stripping types at each of them does not belong into it. */
export async function buildPackage(say: (line: string) => void): Promise<void> {
  say('Building the package …')
  const npm = process.env['npm_execpath']
  const [command, first] = npm === undefined ? ['npm', []] : [process.execPath, [npm]]
  await promisify(execFile)(command, [...first, 'run', '--silent', 'build'], { cwd: ROOT })
}
