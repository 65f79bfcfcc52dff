import pc from 'picocolors'
import { onStopSignal } from '../deploy/signals.ts'
import { runDemo } from './demo.ts'
import type { DemoOptions, Scene } from './import.ts'
import { report } from './report.ts'
import { Screen, type Terminal } from './screen.ts'
import { type Colors, picture, progress, seconds, tell, thousands } from './story.ts'
import { exitCodeOf, judge } from './verdict.ts'

export type ShowOptions = Pick<DemoOptions, 'rows' | 'every' | 'dropFence' | 'keep'> & {
  /** The verdict as JSON on stdout, the rest on stderr. */
  readonly json: boolean
  readonly color: boolean
}

const DRAW_EVERY_MS = 100
const SAY_EVERY_MS = 5_000
const INTERRUPTED = 130

/** The demo for people, and its exit code. */
export async function showDemo(options: ShowOptions): Promise<number> {
  const out: Terminal = options.json ? process.stderr : process.stdout
  const colors = pc.createColors(options.color)
  const screen = new Screen(out, out.isTTY === true && process.env['CI'] === undefined)
  const stopping = new AbortController()
  const begun = performance.now()
  let ticking: NodeJS.Timeout | undefined
  const giveBack = onStopSignal(
    () => stopping.abort(),
    // The second one may be the first again, passed on by npm.
    (_, count) => count > 2 && process.exit(INTERRUPTED),
  )
  process.once('SIGHUP', () => {
    screen.mute()
    stopping.abort()
  })
  screen.say(...opening(options, colors))
  try {
    const evidence = await runDemo({
      ...options,
      signal: stopping.signal,
      onPhase: (text) => screen.say(colors.dim(`${clock(begun)}  ${text}`)),
      onBegin: (scene) => {
        screen.say(colors.dim(`${clock(begun)}  PostgreSQL is up, two workers wait, and each file is a job now`))
        ticking = screen.isLive
          ? setInterval(() => screen.draw(picture(scene(), colors)), DRAW_EVERY_MS)
          : setInterval(() => screen.say(`${clock(begun)}  ${progressText(scene())}`), SAY_EVERY_MS)
      },
      onIncident: (incident, { files }) => screen.say(`${colors.dim(clock(begun))}  ${tell(incident, files, colors)}`),
    })
    clearInterval(ticking)
    screen.draw([])
    const verdict = judge(evidence)
    screen.say('', ...report(verdict, evidence, colors), '', ...hint(options, exitCodeOf(verdict), colors))
    if (options.json) process.stdout.write(`${JSON.stringify(verdict)}\n`)
    return exitCodeOf(verdict)
  } catch (error) {
    if (stopping.signal.aborted) return INTERRUPTED
    throw error
  } finally {
    clearInterval(ticking)
    screen.close()
    giveBack()
  }
}

function opening({ every, dropFence }: ShowOptions, colors: Colors): string[] {
  const lines = [
    '',
    `  ${colors.bold('A long import, deployed over, killed and frozen')}`,
    '',
    '  Six files of places from GeoNames go into a PostgreSQL table, by two workers.',
    `  Every ${seconds(every)} one of them is replaced by a new release: told to stop, every third`,
    '  one killed in the middle of a batch, every fifth one frozen until its jobs have',
    '  long gone on elsewhere, then woken. The table has no unique constraint: it is',
    '  the engine alone that keeps every row single.',
  ]
  if (dropFence)
    lines.push('', colors.yellow('  The fence is out of the statements of the workers: a woken worker can write now.'))
  return [...lines, '']
}

function hint({ dropFence, keep }: ShowOptions, code: number, colors: Colors): string[] {
  if (dropFence) return [colors.dim('  Run it without --mutate to see the same with the fence.'), '']
  if (code === 0) return [colors.dim('  To see what the fence is for: npm run demo -- --mutate drop-fence'), '']
  return keep ? [] : [colors.dim('  With --keep, the folder with the witness and the logs of the workers stays.'), '']
}

function progressText(scene: Scene): string {
  const { imported, rows } = progress(scene)
  return `${thousands(imported)} of ${thousands(rows)} rows (${Math.floor((imported / rows) * 100)} %)`
}

function clock(begun: number): string {
  return `${((performance.now() - begun) / 1_000).toFixed(1)} s`.padStart(8)
}
