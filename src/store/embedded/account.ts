import { chown, lchown, lstat, readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'

/** The user that the server runs as. PostgreSQL refuses to run as root, so root lends it another one. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/**
 * Who the server must run as, or `undefined` for the caller itself (everybody but root).
 *
 * For root it is the owner of the folder, so that a bind-mounted project stays with the person it belongs to; where root
 * owns it, `postgres` or else `nobody`. It must be a user with a name: initdb refuses a bare number.
 */
export async function serverAccount(folder: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const known = await namedUsers()
  const { uid: owner } = await stat(folder)
  return (
    known.find(({ uid }) => uid === owner && uid !== 0) ??
    known.find(({ name }) => name === 'postgres') ??
    known.find(({ name }) => name === 'nobody') ?? { uid: 65534, gid: 65534 }
  )
}

/** The options that make `spawn` run a program as the account. */
export function asAccount(account: Account | undefined): { uid?: number; gid?: number } {
  return account === undefined ? {} : { uid: account.uid, gid: account.gid }
}

/** Gives a file or folder to the account; nothing happens when the server runs as the caller. */
export async function giveTo(account: Account | undefined, file: string): Promise<void> {
  if (account !== undefined) await chown(file, account.uid, account.gid)
}

/** Gives a folder and everything in it to the account. */
export async function giveAllTo(account: Account | undefined, file: string): Promise<void> {
  if (account === undefined) return
  await lchown(file, account.uid, account.gid)
  if (!(await lstat(file)).isDirectory()) return
  for (const entry of await readdir(file)) await giveAllTo(account, path.join(file, entry))
}

/** Whether the account may walk down to a folder: under /root, or a private temporary folder, it may not. */
export async function canReach(account: Account | undefined, folder: string): Promise<boolean> {
  if (account === undefined) return true
  const parent = path.dirname(folder)
  const { mode, uid, gid } = await stat(folder)
  const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001
  if ((mode & bit) === 0) return false
  return parent === folder || canReach(account, parent)
}

async function namedUsers(): Promise<(Account & { name: string })[]> {
  const lines = await readFile('/etc/passwd', 'utf8').catch(() => '')
  return lines.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':')
    return name && uid && gid ? [{ name, uid: Number(uid), gid: Number(gid) }] : []
  })
}
