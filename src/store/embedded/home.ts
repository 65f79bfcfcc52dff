import { randomUUID } from 'node:crypto'
import { access, constants, lstat, mkdir, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Account, canReach, giveTo, serverAccount } from './account.ts'
import { errorCode, folderFailure } from './failure.ts'

/** The places of one embedded server. */
export interface Home {
  /** `.holdfast` in the project folder. */
  readonly folder: string
  /** `.holdfast/pg`, or where that link leads. */
  readonly root: string
  /** The server's messages. */
  readonly log: string
  /** Held alone by whoever starts or stops the server. */
  readonly turnLock: string
  /** Says which machine or container used it last. */
  readonly place: string
  /** Held, shared, by every process that uses the server. */
  readonly memberLock: string
  /** Held alone by the keeper. */
  readonly keeperLock: string
  readonly account: Account | undefined
  /** The project that the folder belongs to, and where the programs are looked for. */
  readonly project: string
}

const SYSTEM_FOLDER = '/var/lib/holdfast'

/**
 * Makes `.holdfast` in a project folder: private, and invisible to git.
 *
 * @throws HF_EMBEDDED_FOLDER when the folder cannot be made or used
 */
export async function prepareHome(project: string, temporary: boolean): Promise<Home> {
  const folder = path.join(path.resolve(project), '.holdfast')
  try {
    const account = await serverAccount(project)
    await makeFolder(folder, account)
    await writeFile(path.join(folder, '.gitignore'), '*\n', { flag: 'wx' }).catch(ignoreExisting)

    const link = path.join(folder, 'pg')
    if (await canReach(account, folder)) await makeFolder(link, account)
    else await makeElsewhere(link, account, temporary ? tmpdir() : SYSTEM_FOLDER)

    const root = await realpath(link)
    await access(root, constants.R_OK | constants.W_OK | constants.X_OK)
    return describeHome(path.resolve(project), folder, root, await ownerOf(root, account))
  } catch (error) {
    throw folderFailure(folder, error)
  }
}

/** Removes everything, also where the data lives outside the project folder. */
export async function removeHome(home: Home): Promise<void> {
  await rm(home.root, { recursive: true, force: true, maxRetries: 5 })
  await rm(home.folder, { recursive: true, force: true, maxRetries: 5 })
}

function describeHome(project: string, folder: string, root: string, account: Account | undefined): Home {
  return {
    project,
    folder,
    root,
    account,
    log: path.join(root, 'server.log'),
    place: path.join(root, 'place'),
    turnLock: path.join(root, 'turn.lock'),
    memberLock: path.join(root, 'members.lock'),
    keeperLock: path.join(root, 'keeper.lock'),
  }
}

/** Data that exists decides: the server must run as its owner. */
async function ownerOf(root: string, fallback: Account | undefined): Promise<Account | undefined> {
  if (fallback === undefined) return undefined
  const { uid, gid } = await stat(root)
  return uid === 0 ? fallback : { uid, gid }
}

/**
 * Root started us in a folder that is closed to every other user, such as /root: the data goes to a folder that the
 * server's user can reach, and a link says where.
 */
async function makeElsewhere(link: string, account: Account | undefined, base: string): Promise<void> {
  if (
    await lstat(link).then(
      () => true,
      () => false,
    )
  )
    return
  const elsewhere = path.join(base, `holdfast-${randomUUID()}`)
  await mkdir(base, { recursive: true, mode: 0o755 })
  await mkdir(elsewhere, { mode: 0o700 })
  await giveTo(account, elsewhere)
  try {
    await symlink(elsewhere, link)
  } catch (error) {
    await rm(elsewhere, { recursive: true, force: true })
    ignoreExisting(error)
  }
}

async function makeFolder(folder: string, account: Account | undefined): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 })
    await giveTo(account, folder)
  } catch (error) {
    ignoreExisting(error)
  }
}

function ignoreExisting(error: unknown): void {
  if (errorCode(error) !== 'EEXIST') throw error
}
