import { Command, CommanderError, type CommandUnknownOpts } from '@commander-js/extra-typings'
import { RELEASE } from '../release.ts'
import type { Define } from './command.ts'
import { EXIT, reportFailure, UsageError } from './failure.ts'

interface Entry {
  readonly summary: string
  /** Loaded only when it is the one that was asked for: a start must be quick. */
  readonly load: () => Promise<{ define: Define }>
}

export const COMMANDS: Readonly<Record<string, Entry>> = {
  init: { summary: 'write a config and two example jobs', load: () => import('./init.ts') },
  work: { summary: 'run jobs until a stop signal', load: () => import('./work.ts') },
  enqueue: { summary: 'enqueue one job', load: () => import('./enqueue.ts') },
  jobs: { summary: 'look at jobs and steer them', load: () => import('./jobs.ts') },
  queues: { summary: 'what waits in each queue, and who serves it', load: () => import('./queues.ts') },
  workers: {
    summary: 'which workers live, of which build, and whether they take jobs',
    load: () => import('./workers.ts'),
  },
  deploy: { summary: 'make the way free for a deploy, and look at deploys', load: () => import('./deploy.ts') },
  migrate: { summary: 'bring the database schema up to this version', load: () => import('./migrate.ts') },
  doctor: { summary: 'check the database, the workers and this machine', load: () => import('./doctor.ts') },
  demo: { summary: 'an import that survives being deployed over, killed and frozen', load: () => import('./demo.ts') },
}

const HELP = `
Exit codes:
  0  done
  1  what was asked for failed, was refused or was not found
  2  the command line cannot be understood

The app is loaded from holdfast.config.ts (.mts, .js, .mjs), here or in a folder above. Without one, the commands
that only look at a database take it from DATABASE_URL.`

/** Runs one command line. What goes wrong is said on stderr, and is in the exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  try {
    return await parse(argv)
  } catch (error) {
    const json = argv.includes('--json')
    if (!(error instanceof CommanderError)) return reportFailure(error, json)
    // Help and version end the parsing, and are no errors.
    if (error.exitCode === 0) return EXIT.ok
    if (error.code === 'commander.help') return EXIT.usage
    return reportFailure(new UsageError(error.message.replace(/^error: /, '').replaceAll('\n', ' ')), json)
  }
}

async function parse(argv: readonly string[]): Promise<number> {
  const program = new Command('holdfast')
    .description('Background jobs on PostgreSQL that survive every deploy')
    .version(RELEASE, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .addHelpText('after', HELP)
    .showSuggestionAfterError()
    // Said below, like every other failure.
    .configureOutput({ outputError: () => {} })
    .exitOverride()
  await define(program, argv)
  if (argv.length === 0) program.outputHelp()
  else await program.parseAsync(argv, { from: 'user' })
  return Number(process.exitCode ?? EXIT.ok)
}

/** The command that was asked for, whole; of the others, the name. */
async function define(program: CommandUnknownOpts, argv: readonly string[]): Promise<void> {
  const words = argv.filter((word) => !word.startsWith('-'))
  const asked = words[0] === 'help' ? words[1] : words[0]
  for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
    if (name === asked) (await load()).define(program)
    else program.command(name).description(summary)
  }
}
