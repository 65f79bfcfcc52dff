import { type Define, JSON_OUT } from './command.ts'

export const define: Define = (program) => {
  program
    .command('init')
    .description('write a config, two example jobs, and how to deploy')
    .option('--dry-run', 'say what would be written, and write nothing')
    .addOption(JSON_OUT)
    .addHelpText('after', '\nAsks nothing, and overwrites nothing.')
    .action(async (options) => (await import('./init-project.ts')).initProject(options))
}
