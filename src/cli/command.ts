import { type CommandUnknownOpts, Option } from '@commander-js/extra-typings'

/** Adds one command, with its options and its action, to the program. Each file of this folder that is a command exports one. */
export type Define = (program: CommandUnknownOpts) => void

/** Options that every command has which looks at a database. */
export interface CommonOptions {
  readonly config?: string | undefined
  readonly schema?: string | undefined
  readonly json?: true | undefined
}

export const CONFIG = new Option('--config <file>', 'the config file (default: the nearest holdfast.config.* upwards)')
export const SCHEMA = new Option(
  '--schema <name>',
  "the PostgreSQL schema of Holdfast's tables (default: the config's)",
)
export const JSON_OUT = new Option('--json', 'print JSON, for programs')
