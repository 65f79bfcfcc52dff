import { chmod, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pc from 'picocolors'
import { onStopSignal } from '../../deploy/signals.ts'
import { openEmbedded } from '../../store/embedded/embedded.ts'
import { clear } from '../demo.ts'
import { deadScript } from './dead-script.ts'
import { dropColumn } from './drop-column.ts'
import type { StoryName } from './names.ts'
import { offenders } from './offenders.ts'
import { rollback } from './rollback.ts'
import { type Fact, InVain, Stage } from './stage.ts'
import { taskmaster } from './taskmaster.ts'
import { twoDeploys } from './two-deploys.ts'

interface Story {
  readonly title: string
  readonly play: (stage: Stage) => Promise<void>
}

const STORIES: Readonly<Record<StoryName, Story>> = {
  taskmaster: {
    title: 'A deploy in place, under supervisord: before, and with the gate',
    play: taskmaster,
  },
  offenders: {
    title: 'What is in the way of a deploy, and what to do about it',
    play: offenders,
  },
  'dead-script': {
    title: 'The script that deploys is killed: before the way is free, after that, and in the migration',
    play: deadScript,
  },
  'two-deploys': {
    title: 'Two people deploy at once',
    play: twoDeploys,
  },
  rollback: {
    title: 'A rollback is a deploy',
    play: rollback,
  },
  'drop-column': {
    title: 'Dropping a column that the old build writes, while a job of three hours runs',
    play: dropColumn,
  },
}

export interface TellOptions {
  /** The verdict as JSON on stdout, the rest on stderr. */
  readonly json: boolean
  readonly color: boolean
  readonly keep: boolean
}

const INTERRUPTED = 130

/** Plays a story before the reader's eyes. Its exit code: 0 when all that it claims was so. */
export async function tellStory(name: StoryName, options: TellOptions): Promise<number> {
  const out = options.json ? process.stderr : process.stdout
  const colors = pc.createColors(options.color)
  let before = ''
  const write = (line: string) => {
    if (line !== '' || before !== '') out.write(`${dress(line, colors)}\n`)
    before = line
  }
  const stopping = new AbortController()
  const giveBack = onStopSignal(
    () => stopping.abort(),
    () => {},
  )
  process.once('SIGHUP', () => stopping.abort())
  const begun = performance.now()
  write(STORIES[name].title)
  try {
    const { facts, control } = await play(name, { signal: stopping.signal, write, keep: options.keep })
    const passed = isTrue(facts)
    const ms = Math.round(performance.now() - begun)
    const verdict = facts.map(({ what, holds }) => `  ${holds ? '✓' : '✗'} ${what}`)
    const end = `  ${(ms / 1_000).toFixed(1)} s, exit code ${passed ? 0 : 1}`
    for (const line of ['', 'Verdict', '', ...verdict, '', end]) write(line)
    if (options.json) process.stdout.write(`${JSON.stringify({ story: name, passed, control, ms, facts })}\n`)
    return passed ? 0 : 1
  } catch (error) {
    if (stopping.signal.aborted) return INTERRUPTED
    throw error
  } finally {
    giveBack()
  }
}

interface PlayOptions {
  readonly signal: AbortSignal
  readonly write: (line: string) => void
  readonly keep: boolean
}

async function play(name: StoryName, { signal, write, keep }: PlayOptions) {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-demo-'))
  // PostgreSQL refuses to run as root: the user that it is lent must reach the folder.
  await chmod(folder, 0o755)
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(() => (keep ? write(`kept: ${folder}`) : clear(folder)))
  const server = await openEmbedded({ folder, temporary: true })
  cleanup.defer(() => server.release())
  signal.throwIfAborted()
  const stage = new Stage({ folder, url: server.url, signal, write })
  const last = () => stage.kill()
  process.on('exit', last)
  cleanup.defer(async () => {
    await stage.close()
    process.off('exit', last)
  })
  await stage.build()
  try {
    await STORIES[name].play(stage)
  } catch (error) {
    if (!(error instanceof InVain)) throw error
    stage.fact(error.message, false)
  }
  return { facts: stage.facts as readonly Fact[], control: stage.control }
}

/** A story that claims nothing has shown nothing. */
export function isTrue(facts: readonly Fact[]): boolean {
  return facts.length > 0 && facts.every(({ holds }) => holds)
}

/** Commands stand out from what they say. */
function dress(line: string, colors: ReturnType<typeof pc.createColors>): string {
  if (/^ {3}\$ /.test(line)) return colors.bold(line)
  if (/^ {7}/.test(line)) return colors.dim(line)
  if (/^\S/.test(line)) return colors.bold(line)
  if (/^ {2}✗/.test(line)) return colors.red(line)
  return /^ {2}✓/.test(line) ? line.replace('✓', colors.green('✓')) : line
}
