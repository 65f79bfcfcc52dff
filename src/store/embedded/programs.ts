import { cp, lstat, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import path from 'node:path'
import { type Account, canReach, giveAllTo } from './account.ts'
import { type Binaries, describeBinaries } from './binaries.ts'
import { errorCode } from './failure.ts'

/** A link between two versions of a shared library; npm packages cannot carry links, so a list of them is shipped. */
interface LibraryLink {
  /** Where the link has to be. */
  readonly at: string
  /** The name, in the same folder, that it leads to. */
  readonly to: string
}

/**
 * Programs that the server's user can really run: the installed ones where they are complete, else a copy.
 *
 * Installed with `--ignore-scripts` they lack the links of their libraries, which are made here. Where they cannot be
 * (read-only node_modules), or where the user cannot reach them (installed under /root), a copy goes to `folder`.
 */
export async function usablePrograms(
  installed: Binaries,
  folder: string,
  account: Account | undefined,
): Promise<Binaries> {
  if ((await canReach(account, installed.root)) && (await makeLinks(installed.root))) return installed

  const copy = path.join(folder, `programs-${installed.version}`)
  if (!(await exists(copy))) await copyPrograms(installed.root, copy, account)
  return describeBinaries(copy, installed.version)
}

/** Makes the links that are missing. False when the folder cannot be written to. */
export async function makeLinks(root: string): Promise<boolean> {
  for (const { at, to } of await listedLinks(root)) {
    if (await exists(at)) continue
    try {
      await symlink(to, at)
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') return false
    }
  }
  return true
}

async function listedLinks(root: string): Promise<LibraryLink[]> {
  const list = await readFile(path.join(root, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  const links = JSON.parse(list) as { source: string; target: string }[]
  return links.map(({ source, target }) => ({
    at: path.join(root, path.relative('native', target)),
    to: path.relative(path.dirname(target), source),
  }))
}

/** The copy appears under its name only when it is complete. */
async function copyPrograms(root: string, copy: string, account: Account | undefined): Promise<void> {
  const folder = path.dirname(copy)
  const older = (await readdir(folder)).filter((name) => name.startsWith('programs-'))
  for (const name of older) await rm(path.join(folder, name), { recursive: true, force: true })
  const half = `${copy}.half`
  await cp(root, half, { recursive: true, verbatimSymlinks: true, filter: (file) => !file.endsWith('.a') })
  await makeLinks(half)
  await giveAllTo(account, half)
  await rename(half, copy)
}

async function exists(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    () => false,
  )
}
