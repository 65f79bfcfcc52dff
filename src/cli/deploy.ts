import type { Command, CommandUnknownOpts, Option } from '@commander-js/extra-typings'
import { CONFIG, type Define, JSON_OUT, SCHEMA } from './command.ts'
import { meansFleet } from './deploy-fleet-given.ts'
import { FLEET_OPTIONS, PREPARE_FLEET_OPTIONS, RESUME_FLEET_OPTIONS } from './deploy-fleet-options.ts'

export const define: Define = (program) => {
  const deploy = program.command('deploy').description('make the way free for a deploy, and look at deploys')

  fleet(gate(deploy.command('prepare')), PREPARE_FLEET_OPTIONS)
    .description('hold the workers until only what can be interrupted runs: then the way is free')
    .option('--dry-run', 'would it pass now, and if not, when; holds nothing')
    .option('--ticket', 'on failure, print a ticket for each task that was in the way')
    .action(async (options, command) => {
      if (meansFleet(command, options, 'prepare'))
        process.exitCode = await (await import('./deploy-fleet.ts')).prepareFleet(options)
      else await (await import('./deploy-prepare.ts')).prepareDeploy(options)
    })

  gate(deploy.command('run'))
    .description('prepare, run a command with the workers held, and finish; abort when the command fails')
    .argument('<command...>', 'after --: it finds the token of the deploy in HOLDFAST_DEPLOY')
    .option('--keep-going', 'do not stop the command when the hold is lost')
    .action(async (command, options) => (await import('./deploy-run.ts')).runDeploy(command, options))

  deploy
    .command('status')
    .description('deploys that hold workers now, and what those still run')
    .addOption(CONFIG)
    .addOption(SCHEMA)
    .addOption(JSON_OUT)
    .action(async (options) => (await import('./deploy-show.ts')).status(options))

  deploy
    .command('history')
    .description('past deploys: how long they waited, for what, and how they ended')
    .option('--limit <n>', 'how many at most, 1 to 1000', '20')
    .addOption(CONFIG)
    .addOption(SCHEMA)
    .addOption(JSON_OUT)
    .action(async (options) => (await import('./deploy-show.ts')).history(options))

  deploy
    .command('extend')
    .description('let a hold live longer, from now on')
    .argument('[number]', 'which deploy (default: that of this `deploy run`, else your only one)')
    .option('--for <duration>', 'how long', '30m')
    .addOption(CONFIG)
    .addOption(SCHEMA)
    .addOption(JSON_OUT)
    .action(async (number, options) => (await import('./deploy-steer.ts')).extend(number, options))

  deploy
    .command('mark')
    .description('migrating: a migration has begun, so the old code must not run again, also when the hold runs out')
    .argument('<what>', 'migrating')
    .argument('[number]', 'which deploy (default: that of this `deploy run`, else your only one)')
    .addOption(CONFIG)
    .addOption(SCHEMA)
    .addOption(JSON_OUT)
    .action(async (what, number, options) => (await import('./deploy-steer.ts')).mark(what, number, options))

  deploy
    .command('plan')
    .description('which live workers run other code than this, and in what it differs')
    .option('--build <id>', 'the build of this code (default: HOLDFAST_BUILD, else the git commit)')
    .addOption(CONFIG)
    .addOption(SCHEMA)
    .addOption(JSON_OUT)
    .action(async (options) => {
      process.exitCode = await (await import('./deploy-plan.ts')).plan(options)
    })

  fleet(deploy.command('finish'), RESUME_FLEET_OPTIONS)
    .description('the new code runs: every worker claims')
    .argument('[number]', 'which deploy (default: that of this `deploy run`, else your only one)')
    .addOption(CONFIG)
    .addOption(SCHEMA)
    .addOption(JSON_OUT)
    .action(async (number, options, command) => {
      if (!(await resumesFleet(command, options, number)))
        await (await import('./deploy-steer.ts')).finish(number, options)
    })

  fleet(deploy.command('abort'), RESUME_FLEET_OPTIONS)
    .description('give it up: the old code goes on')
    .argument('[number]', 'which deploy (default: that of this `deploy run`, else your only one)')
    .option('--reason <text>', 'why', 'aborted by hand')
    .option('--force', 'also after a migration has begun')
    .addOption(CONFIG)
    .addOption(SCHEMA)
    .addOption(JSON_OUT)
    .action(async (number, options, command) => {
      if (!(await resumesFleet(command, options, number)))
        await (await import('./deploy-steer.ts')).abort(number, options)
    })

  deploy
    .command('wait')
    .description('until the old code is really gone: no live worker but those of a build, and no run of another')
    .requiredOption('--build <id>', 'the new build')
    .option('--timeout <duration>', 'how long to wait', '10m')
    .option('--app <names>', 'only workers of these apps; several with commas')
    .option('--queues <names>', 'only workers that serve one of these queues')
    .option('--workers <patterns>', "only workers with these names: 'host-a:*'")
    .addOption(CONFIG)
    .addOption(SCHEMA)
    .addOption(JSON_OUT)
    .action(async (options) => (await import('./deploy-wait.ts')).waitForBuild(options))
}

function gate(command: Command) {
  return command
    .option(
      '--require <what>',
      '`interruptible`: only what can be interrupted may run; `idle`: nothing',
      'interruptible',
    )
    .option('--timeout <duration>', 'how long to wait for work to end', '10m')
    .option('--hold <duration>', 'how long the workers stay held after that', '30m')
    .option('--build <id>', 'the build of the new code: its workers are not held')
    .option('--reason <text>', 'why, for whoever finds the workers held', 'deploy')
    .option('--app <names>', 'only workers of these apps; several with commas')
    .option('--queues <names>', 'only workers that serve one of these queues')
    .option('--workers <patterns>', "only workers with these names: 'host-a:*'")
    .option('--allow-none', 'go on when no live worker is one of those')
    .addOption(CONFIG)
    .addOption(SCHEMA)
    .addOption(JSON_OUT)
}

/** Of other job systems. Commands that know what they are about say so in their own options. */
function fleet<C extends Command>(command: C, own: readonly Option[]): C {
  for (const option of [...FLEET_OPTIONS, ...own]) command.addOption(option)
  return command
}

/** `finish` and `abort` are one for such a fleet: whatever is paused fetches again. */
async function resumesFleet(command: CommandUnknownOpts, options: object, number?: string): Promise<boolean> {
  if (!meansFleet(command, options, 'resume', number)) return false
  process.exitCode = await (await import('./deploy-fleet.ts')).resumeFleet(options)
  return true
}
