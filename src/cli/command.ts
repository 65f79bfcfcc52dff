import type { CommandUnknownOpts } from '@commander-js/extra-typings'

/** Adds one command, with its options and its action, to the program. Each file of this folder that is a command exports one. */
export type Define = (program: CommandUnknownOpts) => void

/** Options that every command has which looks at a database. */
export interface CommonOptions {
  readonly config?: string | undefined
  readonly schema?: string | undefined
  readonly json?: true | undefined
}
