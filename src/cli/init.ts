import { type Define, JSON_OUT } from './command.ts'

export const define: Define = (program) => {
  program
    .command('init')
    .description('write a config and two example jobs')
    .option('--dry-run', 'say what would be written, and write nothing')
    .addOption(JSON_OUT)
    .addHelpText('after', '\nAsks nothing, and overwrites nothing.')
    .action(async (options) => (await import('./init-project.ts')).initProject(options))
}
