/** The commands of the gate over other fleets, as a program: `gate.ts prepare --fleet celery …`. */
import { Command, Option } from '@commander-js/extra-typings'
import { prepareFleet, resumeFleet } from '../../src/cli/deploy-fleet.ts'
import { FLEET_OPTIONS, type FleetOptions } from '../../src/cli/deploy-fleet-options.ts'
import { exit } from '../../src/cli/output.ts'

const program = new Command('gate').argument('<verb>')
for (const option of FLEET_OPTIONS) program.addOption(option)
program
  .addOption(new Option('--timeout <duration>'))
  .addOption(new Option('--require <what>'))
  .addOption(new Option('--queues <names>'))
  .addOption(new Option('--json'))
program.action(async (verb, options) => {
  const given = options as unknown as FleetOptions
  await exit(await (verb === 'prepare' ? prepareFleet(given) : resumeFleet(given)))
})
await program.parseAsync()
