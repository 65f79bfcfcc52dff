import { Option } from '@commander-js/extra-typings'
import { CONFIG, type Define, JSON_OUT } from './command.ts'

const HELP = `
SIGTERM and SIGINT both mean: claim nothing more, hand off what runs, leave within the grace. The grace is what the platform
leaves between its signal and SIGKILL: \`shutdown.grace\` of the app, else HOLDFAST_GRACE, else 30s.
A second or third signal changes nothing. SIGTSTP and SIGUSR1: claim nothing more, and stay until a stop signal.
The process that is started here is a supervisor: it loads no code of the app, replaces worker processes that die, and gives the jobs
that they held back at once. Exits with 0 after a stop signal, also when code would not end (it is killed at the end of the budget and
its jobs are released, and the last line says so); with 1 when no worker process could start.
With --port, it answers /livez (never asks the database), /readyz (database, not draining) and /metrics.`

export const define: Define = (program) => {
  program
    .command('work')
    .description('run jobs until a stop signal')
    .option('--queues <names>', 'only these queues, with commas between them (default: all that are declared)')
    .option('--concurrency <n>', "jobs at the same time (default: the app's)")
    .option('--processes <n>', 'worker processes: a number, or `auto` for one a core (default: 1)')
    .option('--port <n>', 'answer /livez, /readyz and /metrics here (default: nowhere)')
    .option('--host <address>', 'where --port listens (default: 127.0.0.1)')
    .option('--build <id>', 'which code this is (default: HOLDFAST_BUILD, else the git commit)')
    .addOption(new Option('--child').hideHelp())
    .addOption(CONFIG)
    .addOption(JSON_OUT)
    .addHelpText('after', HELP)
    .action(async (options) => {
      const run = options.child
        ? (await import('./work-run.ts')).work(options)
        : (await import('./supervise.ts')).supervise(options)
      process.exitCode = await run
    })
}
