import type { Offender } from '../deploy/gate/offender.ts'
import type { Prepared } from '../deploy/gate/prepared.ts'
import { formatDuration } from '../model/duration.ts'
import type { Deploy } from '../store/deploys.ts'
import { TOKEN_FILE } from './deploy-token.ts'
import { count, moment, plural } from './format.ts'
import { readablePattern } from './name-pattern.ts'
import { colors, short } from './output.ts'

/** Which workers a deploy means, for people. */
export function scopeText({ apps, queues, workers }: Pick<Deploy, 'apps' | 'queues' | 'workers'>): string {
  const parts = [
    ...(apps ? [`app ${apps.join(', ')}`] : []),
    ...(queues ? [`queues ${queues.join(', ')}`] : []),
    ...(workers ? [`workers ${workers.map(readablePattern).join(', ')}`] : []),
  ]
  return parts.length === 0 ? 'all workers' : parts.join('; ')
}

/** One job in the way. */
export function offenderLines(offender: Offender): string[] {
  const { task, job, ageMs, p95Ms, limitMs, worker, doneInMs, cure } = offender
  const usual = p95Ms === null ? '' : `, usually at most ${formatDuration(p95Ms)}`
  const limit = limitMs === null ? ', no limit' : `, limit ${formatDuration(limitMs)}`
  const end = doneInMs === null ? '' : `, done in ${formatDuration(doneInMs)} or less`
  return [
    `  ${colors.bold(short(task, 60))}  job ${job}  on ${short(worker, 60)}`,
    `    running for ${formatDuration(ageMs)}${usual}${limit}${end}`,
    `    ${short(cure, 300)}`,
  ]
}

/** Workers that were written off in the wait. */
export function vanishedLines(vanished: Prepared['vanished']): string[] {
  return vanished.map(
    ({ name, jobs }) =>
      `${colors.yellow('Attention:')} worker ${short(name, 60)}${jobs === 0 ? '' : `, with ${plural(jobs, 'job')},`} stopped answering and is written off: ` +
      'its writes are refused, but what it does outside the database goes on. See that its process is gone.',
  )
}

/** What a deploy did not wait for. */
export function stillRunning(jobs: number): string {
  if (jobs === 0) return 'Nothing runs.'
  return jobs === 1 ? '1 job that can be interrupted goes on.' : `${count(jobs)} jobs that can be interrupted go on.`
}

/** What to do when the way is free. */
export function nextSteps(prepared: Prepared): string[] {
  const { number, token, build, workers, holdUntil, unheard, vanished, interruptible } = prepared
  return [
    `${colors.green('The way is free.')} ${stillRunning(interruptible)} ${plural(workers, 'worker')} held until ${moment(holdUntil as Date)}.`,
    ...(unheard.length === 0 ? [] : [`Did not answer, and claim nothing all the same: ${unheard.join(', ')}`]),
    ...vanishedLines(vanished),
    '',
    'Now stop, pull, migrate and start. The new code is not held when it registers with',
    `  HOLDFAST_DEPLOY=${token}   (or that token in a file ${TOKEN_FILE} beside its config${build === null ? '' : `, or as build ${build}`})`,
    'Then:',
    `  holdfast deploy finish ${number}            the new code runs`,
    `  holdfast deploy mark migrating ${number}    a migration begins: the old code must not run again`,
    `  holdfast deploy extend ${number} --for 30m  it takes longer`,
    `  holdfast deploy abort ${number}             the old code goes on`,
  ]
}
