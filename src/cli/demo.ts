import type { Define } from './command.ts'

export const define: Define = (program) => {
  program
    .command('demo')
    .description('an import that survives being deployed over, killed and frozen')
    .argument('[words...]')
    .allowUnknownOption()
    .action(() => {
      throw new Error('The demo is not there yet')
    })
}
