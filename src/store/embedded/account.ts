import { chown, lstat, readdir, readFile } from 'node:fs/promises'
import path from 'node:path'

/** The user that the server runs as. PostgreSQL refuses to run as root, so root lends it another one. */
export interface Account {
  readonly uid: number
  readonly gid: number
  readonly name: string
}

/**
 * Who the server must run as, or `undefined` for the caller itself (everybody but root).
 *
 * For root it is the owner of the folder, so that files of a bind-mounted project stay with the person they belong to;
 * where root owns it, `postgres` or else `nobody`. The user needs a name: initdb refuses a bare number.
 */
export async function serverAccount(folder: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const known = await knownAccounts()
  const owner = (await lstat(folder)).uid
  const account =
    known.find(({ uid }) => uid === owner && uid !== 0) ??
    known.find(({ name }) => name === 'postgres') ??
    known.find(({ name }) => name === 'nobody')
  return account ?? { uid: 65534, gid: 65534, name: 'nobody' }
}

/** Gives a folder and everything in it to the account; nothing happens when the server runs as the caller. */
export async function giveTo(account: Account | undefined, file: string): Promise<void> {
  if (account === undefined) return
  await chown(file, account.uid, account.gid)
  if (!(await lstat(file)).isDirectory()) return
  for (const entry of await readdir(file)) await giveTo(account, path.join(file, entry))
}

async function knownAccounts(): Promise<Account[]> {
  const lines = await readFile('/etc/passwd', 'utf8').catch(() => '')
  return lines.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':')
    return name && uid && gid ? [{ name, uid: Number(uid), gid: Number(gid) }] : []
  })
}
