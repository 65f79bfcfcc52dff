import { execFile } from 'node:child_process'
import { checkName } from '../model/name.ts'

const GIT_PATIENCE_MS = 500

/** Which code this is: as it was told, else the commit that lies here, else 'unknown'. */
export async function buildId(given: string | undefined): Promise<string> {
  const told = given ?? process.env['HOLDFAST_BUILD']
  if (told !== undefined && told !== '') return checkName('build', told)
  return (await commit()) ?? 'unknown'
}

/** Undefined where there is no git, no repository, or no answer in time: images rarely have one. */
function commit(): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile('git', ['rev-parse', '--short', 'HEAD'], { timeout: GIT_PATIENCE_MS }, (error, stdout) => {
      const id = stdout.trim()
      resolve(error === null && /^[0-9a-f]{4,40}$/.test(id) ? id : undefined)
    })
  })
}
