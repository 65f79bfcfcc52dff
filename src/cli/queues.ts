import { CONFIG, type Define, JSON_OUT, SCHEMA } from './command.ts'

export const define: Define = (program) => {
  program
    .command('queues')
    .description('what waits in each queue, and who serves it')
    .addOption(CONFIG)
    .addOption(SCHEMA)
    .addOption(JSON_OUT)
    .action(async (options) => (await import('./queues-report.ts')).showQueues(options))
}
