import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { installedVersion } from '../systems/installed.ts'

const FOLDER = fileURLToPath(new URL('..', import.meta.url))

/** Installs the systems that Holdfast is compared with, at the versions of `bench/package-lock.json`; once. */
export async function installRivals(say: (line: string) => void): Promise<void> {
  const { dependencies } = JSON.parse(readFileSync(`${FOLDER}/package.json`, 'utf8')) as {
    dependencies: Record<string, string>
  }
  const missing = Object.entries(dependencies).filter(([name, version]) => installedVersion(name) !== version)
  if (missing.length === 0) return
  say(`Installing ${missing.map(([name, version]) => `${name} ${version}`).join(', ')} …`)
  const args = ['ci', '--prefix', FOLDER, '--ignore-scripts', '--silent', '--no-audit', '--no-fund']
  const npm = process.env['npm_execpath']
  const [command, first] = npm === undefined ? ['npm', []] : [process.execPath, [npm]]
  const code = await new Promise<number | null>((resolve, reject) => {
    spawn(command, [...first, ...args], { cwd: FOLDER, stdio: ['ignore', 'ignore', 'inherit'] })
      .once('error', reject)
      .once('exit', resolve)
  })
  if (code !== 0) throw new Error(`npm could not install them (exit code ${code}); try: npm ci --prefix bench`)
}
