import { CONFIG, type Define, JSON_OUT } from './command.ts'

const HELP = `
SIGTERM and SIGINT both mean: claim nothing more, hand off what runs, leave within the grace. The grace is what the platform
leaves between its signal and SIGKILL: \`shutdown.grace\` of the app, else HOLDFAST_GRACE, else 30s.
Exits with 0 after a stop signal, also when code would not end (its jobs are then released by the lease, and the last line
says so); with 1 when it could not start, or after an uncaught exception.`

export const define: Define = (program) => {
  program
    .command('work')
    .description('run jobs until a stop signal')
    .option('--queues <names>', 'only these queues, with commas between them (default: all that are declared)')
    .option('--concurrency <n>', "jobs at the same time (default: the app's)")
    .option('--build <id>', 'which code this is (default: HOLDFAST_BUILD, else the git commit)')
    .addOption(CONFIG)
    .addOption(JSON_OUT)
    .addHelpText('after', HELP)
    .action(async (options) => {
      const { work } = await import('./work-run.ts')
      process.exitCode = await work(options)
    })
}
