import { CONFIG, type Define, JSON_OUT, SCHEMA } from './command.ts'

export const define: Define = (program) => {
  program
    .command('migrate')
    .description('bring the database schema up to this version')
    .option('--dry-run', 'say what would be applied, and apply nothing')
    .option('--sql', 'with --dry-run: print the SQL')
    .addOption(CONFIG)
    .addOption(SCHEMA)
    .addOption(JSON_OUT)
    .action(async (options) => (await import('./migrate-schema.ts')).migrateSchema(options))
}
