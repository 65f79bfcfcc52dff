import { appManifest } from '../app-manifest.ts'
import { type DeployPlan, type GroupPlan, planDeploy, type TaskDifference, type Verdict } from '../deploy/plan.ts'
import type { Change } from '../deploy/task-changes.ts'
import { liveManifests } from '../store/reports.ts'
import { readManifest } from '../tasks/manifest.ts'
import { buildId } from './build-id.ts'
import type { CommonOptions } from './command.ts'
import { loadApp } from './config.ts'
import { EXIT } from './failure.ts'
import { plural } from './format.ts'
import { colors, print, printJson, short } from './output.ts'
import { appSession } from './session.ts'

export interface PlanOptions extends CommonOptions {
  readonly build?: string | undefined
}

/** Which live workers run other code than this. Changes nothing. */
export async function plan(options: PlanOptions): Promise<number> {
  const loaded = await loadApp(options.config)
  const manifest = appManifest(loaded.internals)
  const build = await buildId(options.build)
  await using session = await appSession(loaded, options.schema)
  const live = await liveManifests(session.db)
  const groups = live.map((group) => ({ ...group, manifest: readManifest(group.manifest) }))
  const found = planDeploy({ build, manifest }, groups)
  if (options.json) printJson({ build, ...found })
  else for (const line of linesOf(build, manifest.tasks.length, found)) print(line)
  return EXIT.ok
}

function linesOf(build: string, tasks: number, { groups, loses, gains }: DeployPlan): string[] {
  const lines = [`This code: build ${short(build, 60)}, ${plural(tasks, 'task')}`, '']
  if (groups.length === 0) return [...lines, 'No worker is running: whatever is started now runs this code.']
  for (const group of groups) lines.push(...groupLines(group))
  if (loses.length > 0) {
    const what = `This code does not take ${short(loses.join(', '), 300)}, which live workers do`
    lines.push(
      '',
      colors.yellow(`${what}: such jobs wait once these are gone. Aliases and \`upgrade\` take jobs over.`),
    )
  }
  if (gains.length > 0) {
    const what = `No live worker takes ${short(gains.join(', '), 300)}`
    lines.push('', `${what}: start workers of this code before or with its clients, or their jobs wait.`)
  }
  return lines
}

const WHY: Readonly<Record<Exclude<Verdict, 'restart'>, string>> = {
  unknown: 'it cannot be told whether it differs: restart it to be sure',
  same: 'says the same of itself: restart it for what the tasks do inside',
  current: 'runs this build',
}

function groupLines({ verdict, build, queues, workers, differences, elsewhere }: GroupPlan): string[] {
  const paint = verdict === 'restart' ? colors.red : verdict === 'unknown' ? colors.yellow : colors.green
  const who = `build ${short(build, 60)}, queues ${short(queues.join(', '), 120)}`
  const names = short(workers.join(', '), 200)
  return [
    `${paint(verdict.padEnd(8))} ${who} (${plural(workers.length, 'worker')}: ${names})`,
    ...(verdict === 'restart' ? [] : [`         ${WHY[verdict]}`]),
    ...differences.map(differenceLine),
    ...(elsewhere.length === 0
      ? []
      : [`         in queues that it does not serve: ${short(elsewhere.join(', '), 200)}`]),
  ]
}

const SIGNS = { added: '+', removed: '-', changed: '~', unknown: '?' } as const

function differenceLine({ task, kind, changes }: TaskDifference): string {
  const what = changes.length === 0 ? kind : changes.map(changeText).join('; ')
  return `         ${SIGNS[kind]} ${short(task, 80)}: ${what}`
}

function changeText({ what, from, to, unknown, unversioned }: Change): string {
  if (unknown) return `${what} cannot be compared (${from})`
  const hint = unversioned ? ', with the same version: raise `version` if older inputs do not fit' : ''
  return `${LABELS[what]} ${from} → ${to}${hint}`
}

const LABELS: Readonly<Record<Change['what'], string>> = {
  name: 'name',
  kind: 'kind',
  queue: 'queue',
  version: 'version',
  versions: 'takes versions',
  aliases: 'aliases',
  input: 'input',
  interrupt: 'interrupt',
  delivery: 'delivery',
  limit: 'time limit',
  stall: 'stallAfter',
  legacy: 'legacy until',
}
