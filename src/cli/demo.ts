import { STORY_NAMES, type StoryName } from '../demo/stories/names.ts'
import type { Duration } from '../model/duration.ts'
import { suggestion } from '../model/name.ts'
import { checkDuration } from '../model/options.ts'
import type { Define } from './command.ts'
import { UsageError } from './failure.ts'
import { colors, errorColors } from './output.ts'

const LEAST_ROWS = 1_000
const MOST_ROWS = 20_000_000

export const define: Define = (program) => {
  program
    .command('demo')
    .description('an import that survives being deployed over, killed and frozen; or a story about the deploy gate')
    .argument('[story]', `one of ${STORY_NAMES.join(', ')}; else the import`)
    .option('--rows <n>', 'rows to import; beyond the 222,583 of the data set it begins again, under new keys')
    .option('--every <duration>', 'from one deploy to the next', '2.5s')
    .option('--mutate <what>', "'drop-fence': take the fence out of the workers' statements, and see what it prevents")
    .option('--json', 'the verdict as one line of JSON on stdout, everything else on stderr')
    .option('--keep', 'keep the folder with the files, the releases and the witness')
    .action(async (story, { rows, every, mutate, json, keep }) => {
      const color = (json === true ? errorColors : colors).isColorSupported
      if (story !== undefined) {
        const name = storyName(story)
        if (rows !== undefined || mutate !== undefined) throw new UsageError('--rows and --mutate go with the import.')
        const { tellStory } = await import('../demo/stories/tell.ts')
        process.exitCode = await tellStory(name, { json: json === true, keep: keep === true, color })
        return
      }
      if (mutate !== undefined && mutate !== 'drop-fence')
        throw new UsageError(`--mutate takes 'drop-fence', not '${mutate}'`)
      const options = {
        rows: rows === undefined ? undefined : rowCount(rows),
        every: checkDuration(every as Duration, 500, 60_000, '--every'),
        dropFence: mutate === 'drop-fence',
        keep: keep === true,
        json: json === true,
        color,
      }
      const { showDemo } = await import('../demo/show.ts')
      process.exitCode = await showDemo(options)
    })
}

function storyName(text: string): StoryName {
  const name = STORY_NAMES.find((each) => each === text)
  if (name !== undefined) return name
  throw new UsageError(
    `There is no story '${text}'.${suggestion(text, STORY_NAMES)} Stories: ${STORY_NAMES.join(', ')}.`,
  )
}

function rowCount(text: string): number {
  const rows = Number(text.replaceAll(/[_,]/g, ''))
  if (Number.isInteger(rows) && rows >= LEAST_ROWS && rows <= MOST_ROWS) return rows
  throw new UsageError(`--rows takes a whole number from ${LEAST_ROWS} to ${MOST_ROWS}, not '${text}'`)
}
