import { CONFIG, type Define, JSON_OUT, SCHEMA } from './command.ts'

export const define: Define = (program) => {
  program
    .command('doctor')
    .description('check the database, the workers and this machine')
    .addOption(CONFIG)
    .addOption(SCHEMA)
    .addOption(JSON_OUT)
    .addHelpText('after', '\nExits with 1 when something is wrong. Warnings do not fail.')
    .action(async (options) => (await import('./doctor-run.ts')).doctor(options))
}
