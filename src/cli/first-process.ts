import { existsSync } from 'node:fs'

const SHELL = '/bin/sh'
/** Which signals mean something to a worker. */
const SIGNALS = ['TERM', 'INT', 'HUP', 'USR1', 'TSTP', 'CONT']

/**
 * Starts the program after `"$@"`, passes signals on to it, and waits: a shell collects every orphan that it is handed meanwhile.
 * `wait` returns early at each trapped signal, hence the loop.
 */
const SCRIPT = `
"$@" & child=$!
${SIGNALS.map((signal) => `trap 'kill -${signal} $child' ${signal}`).join('\n')}
while :; do
  wait $child; code=$?
  kill -0 $child 2>/dev/null || exit $code
done`

/**
 * The first process of a container is handed every orphan in it, and must collect the dead ones. Node collects only its own children, so
 * a shell takes its place: this process becomes that shell, which starts it again as its child. Does nothing where this is not the first process,
 * or where there is no shell; then orphans of jobs stay as zombies until the container ends.
 */
export function leaveFirstPlace(): void {
  if (process.pid !== 1 || process.execve === undefined || !existsSync(SHELL)) return
  process.execve(
    SHELL,
    [SHELL, '-c', SCRIPT, SHELL, process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    process.env,
  )
}
