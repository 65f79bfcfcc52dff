import { CONFIG, type Define, JSON_OUT, SCHEMA } from './command.ts'

export const define: Define = (program) => {
  program
    .command('workers')
    .description('which workers live, of which build, and whether they take jobs')
    .addOption(CONFIG)
    .addOption(SCHEMA)
    .addOption(JSON_OUT)
    .action(async (options) => (await import('./workers-report.ts')).showWorkers(options))
}
