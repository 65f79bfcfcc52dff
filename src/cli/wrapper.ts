import { printable } from '../model/printable.ts'

const DIRECT = 'node node_modules/holdfast/dist/cli/main.js work'
const LOOK_EVERY_MS = 1_000

/**
 * The package manager that this process was started by, if it was. npm, npx and yarn die of a stop signal without passing it on: the
 * worker goes on as an orphan, never hears of the deploy, and is killed in the middle of its jobs.
 */
export function wrapperName(): string | undefined {
  const { npm_lifecycle_event: script, npm_execpath: path, npm_config_user_agent: agent } = process.env
  if (script === undefined && path === undefined) return undefined
  const manager = agent?.split('/')[0] ?? 'npm'
  if (script === 'npx') return 'npx'
  return printable(script === undefined ? manager : `${manager} run ${script}`)
}

export function wrapperWarning(wrapper: string): string {
  return (
    `This worker was started through \`${wrapper}\`, which does not pass stop signals on: a deploy would kill it in the middle of its jobs. ` +
    `Start it with \`${DIRECT}\`; in a Dockerfile, CMD ["${DIRECT.split(' ').join('", "')}"].`
  )
}

/**
 * Calls `orphaned` when the wrapper is gone: the signal that ended it was meant for this process.
 * @returns a function that stops looking.
 */
export function watchParent(orphaned: () => void): () => void {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    orphaned()
  }, LOOK_EVERY_MS)
  timer.unref()
  return () => clearInterval(timer)
}
