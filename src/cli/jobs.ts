import { CONFIG, type Define, JSON_OUT, SCHEMA } from './command.ts'

export const define: Define = (program) => {
  const jobs = program.command('jobs').description('look at jobs and steer them')

  jobs
    .command('list')
    .description('jobs, newest first')
    .option('--state <names>', 'only these states, or the groups "waiting", "live", "ended"; several with commas')
    .option('--task <name>', 'only this task')
    .option('--queue <name>', 'only this queue')
    .option('--limit <n>', 'how many at most, 1 to 1000', '20')
    .option('--after <id>', 'the page after this id: `next` of the page before')
    .addOption(CONFIG)
    .addOption(SCHEMA)
    .addOption(JSON_OUT)
    .action(async (options) => (await import('./jobs-list.ts')).list(options))

  jobs
    .command('show')
    .description('everything that is known of a job')
    .argument('<id>')
    .option('--watch', 'follow it until it has ended')
    .addOption(CONFIG)
    .addOption(SCHEMA)
    .addOption(JSON_OUT)
    .action(async (id, options) => (await import('./jobs-show.ts')).show(id, options))

  jobs
    .command('retry')
    .description('run ended jobs again, with their progress; make waiting ones ready now')
    .argument('<id...>')
    .addOption(CONFIG)
    .addOption(SCHEMA)
    .addOption(JSON_OUT)
    .action(async (ids, options) => (await import('./jobs-steer.ts')).retry(ids, options))

  jobs
    .command('cancel')
    .description('end jobs; running ones are asked to stop')
    .argument('<id...>')
    .option('--reason <text>', 'why', 'cancelled by hand')
    .addOption(CONFIG)
    .addOption(SCHEMA)
    .addOption(JSON_OUT)
    .action(async (ids, options) => (await import('./jobs-steer.ts')).cancel(ids, options))

  jobs
    .command('pause')
    .description('let a job rest; a running iteration stops at its next checkpoint')
    .argument('<id>')
    .requiredOption('--reason <text>', 'why, for whoever finds it paused')
    .option('--for <duration>', 'when it resumes by itself', '7d')
    .addOption(CONFIG)
    .addOption(SCHEMA)
    .addOption(JSON_OUT)
    .action(async (id, options) => (await import('./jobs-steer.ts')).pause(id, options))

  jobs
    .command('resume')
    .description('let a paused job go on')
    .argument('<id>')
    .addOption(CONFIG)
    .addOption(SCHEMA)
    .addOption(JSON_OUT)
    .action(async (id, options) => (await import('./jobs-steer.ts')).resume(id, options))
}
