import { existsSync } from 'node:fs'
import { HoldfastError } from '../../model/errors.ts'

/** The end of a log: enough to see why a server stopped, little enough to print. */
const TAIL = 4_000

/** An error that carries the server's own words, which say what is wrong better than we could. */
export function startFailure(what: string, said: string): HoldfastError {
  const words = said.slice(-TAIL).trim()
  const message = words === '' ? what : `${what}. It said:\n${words}\n`
  return new HoldfastError('HF_EMBEDDED_START', message)
}

/** The program could not be run at all. A file that is there but "not found" lacks its loader: it is built for glibc. */
export function runFailure(program: string, error: Error): HoldfastError {
  const reason =
    errorCode(error) === 'ENOENT' && existsSync(program)
      ? `${error.message} (it needs glibc, which Alpine Linux and others with musl do not have)`
      : error.message
  return new HoldfastError('HF_EMBEDDED_START', `Could not run ${program}: ${reason}`, { cause: error })
}

/** An error of the file system, with the folder that it was about. */
export function folderFailure(folder: string, error: unknown): HoldfastError {
  const reason = error instanceof Error ? error.message : String(error)
  return new HoldfastError(
    'HF_EMBEDDED_FOLDER',
    `The embedded PostgreSQL cannot keep its data in ${folder}: ${reason}`,
    { cause: error },
  )
}

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
