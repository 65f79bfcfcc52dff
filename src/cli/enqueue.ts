import { CONFIG, type Define, JSON_OUT } from './command.ts'

export const define: Define = (program) => {
  program
    .command('enqueue')
    .description('enqueue one job')
    .argument('<task>', 'the name of a task of the app')
    .argument('[input]', "its input as JSON; '-' reads it from stdin")
    .option('--queue <name>', "another queue than the task's own")
    .option('--after <when>', "not before: a duration from now ('10m'), or a date")
    .option('--priority <n>', '0 (first) to 9 (last)')
    .addOption(CONFIG)
    .addOption(JSON_OUT)
    .action(async (task, input, options) => (await import('./enqueue-job.ts')).enqueueJob(task, input, options))
}
