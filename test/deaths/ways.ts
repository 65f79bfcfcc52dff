import { expect } from 'vitest'
import type { WorkerSettings } from '../support/worker-process.ts'
import { all, cut, type Fate, handsOff, type Mode, runsOn, type Temper } from './rules.ts'
import type { Scene } from './scene.ts'

/** What the trail has of a fate beyond its name. */
export interface Evidence {
  readonly error?: object
  readonly reason?: RegExp
  /** A line of `jobs show`. */
  readonly shown?: RegExp
}

/** A way to die. */
export interface Way {
  readonly name: string
  /** In the ordinary run, too. */
  readonly short?: true
  readonly worker?: Partial<WorkerSettings>
  /** What becomes of those that were there when it happened. */
  readonly beside: (mode: Mode, temper: Temper) => Fate
  /** A job does it: one of each mode after the other, the first with all others beside it. */
  readonly culprit?: { readonly family: 'here' | 'limited' | 'away'; readonly deed: string; readonly fate: Fate }
  /** Done from outside; with a culprit, when that has begun. */
  readonly strike?: (scene: Scene, begun?: { readonly pid: number }) => Promise<void> | void
  /** A line of the log that says it has struck: what ends by itself may end then. */
  readonly struck?: string
  /** How the supervisor ends of it; undefined: it goes on. */
  readonly ends?: { readonly code: number | null; readonly signal: NodeJS.Signals | null }
  /** When all are over: wakes it again. */
  readonly wakes?: (scene: Scene) => Promise<void>
  readonly evidence: Partial<Record<Fate, Evidence>>
  /** Of those that are there when it happens. Default: all. */
  readonly tempers?: readonly Temper[]
}

const LEFT = { code: 0, signal: null } as const
const KILLED = { code: null, signal: 'SIGKILL' } as const
/** Where a lease must run out. Else it is far longer than any of this: nothing may wait for one. */
const SHORT_LEASE = { LEASE: '2s' }
const STOPPED: Way['evidence'] = {
  'handed off': { shown: /interrupted .*deploy/ },
  'taken along': { reason: /^its process was stopped$/, shown: /interrupted .*its process was stopped/ },
}
const REPLACED: Way['evidence'] = {
  'handed off': { shown: /interrupted .*replace/ },
  'taken along': { reason: /^its worker process was replaced: .*hard limit of 1s/ },
}
const OUTSIDE: Way['evidence'] = {
  killed: {
    error: { name: 'Killed', signal: 'SIGKILL', message: 'killed by SIGKILL' },
    reason: /^its process died: killed by SIGKILL$/,
    shown: /interrupted .*killed by SIGKILL/,
  },
}
const VANISHED: Way['evidence'] = { 'is lost': { shown: / 1 +lost / } }
const UNCAUGHT = (message: string): Way['evidence'] => ({
  fails: { error: { name: 'RangeError', message }, shown: new RegExp(` 1 +failed .*${message}`) },
  'handed off': { shown: /interrupted .*replace/ },
  'taken along': { reason: new RegExp(`^its worker process was replaced: .*${message}`) },
})

/** The deaths that a signal from outside brings. */
const SIGNALS: readonly Way[] = [
  {
    name: 'SIGTERM, mode hand-off',
    short: true,
    beside: handsOff,
    strike: ({ worker }) => worker.signal('SIGTERM'),
    struck: 'Stopping by SIGTERM',
    ends: LEFT,
    evidence: STOPPED,
  },
  {
    name: 'SIGTERM, mode finish (until the budget)',
    worker: { env: { STOP_MODE: 'finish' } },
    beside: runsOn,
    strike: ({ worker }) => worker.signal('SIGTERM'),
    struck: 'Stopping by SIGTERM',
    ends: LEFT,
    evidence: STOPPED,
  },
  {
    name: 'SIGTERM, mode cold',
    worker: { env: { HOLDFAST_SIGTERM: 'cold' } },
    beside: cut,
    strike: ({ worker }) => worker.signal('SIGTERM'),
    ends: LEFT,
    evidence: STOPPED,
  },
  {
    name: 'SIGTERM to the process group',
    worker: { group: true },
    beside: handsOff,
    strike: ({ worker }) => worker.signalGroup('SIGTERM'),
    struck: 'Stopping by SIGTERM',
    ends: LEFT,
    evidence: STOPPED,
  },
  {
    name: 'SIGTERM to the worker process alone',
    beside: handsOff,
    strike: ({ worker }) => void process.kill(worker.pid, 'SIGTERM'),
    struck: 'Stopping by SIGTERM',
    evidence: STOPPED,
  },
  {
    name: 'SIGKILL of the worker process',
    short: true,
    beside: all('killed'),
    strike: ({ worker }) => void process.kill(worker.pid, 'SIGKILL'),
    evidence: OUTSIDE,
  },
  {
    name: 'SIGKILL of the supervisor',
    // Its worker process hands off and leaves; of what it leaves behind, nobody sees the end.
    beside: (mode, temper) => (temper === 'deaf' ? 'is lost' : handsOff(mode, temper)),
    strike: ({ worker }) => worker.signal('SIGKILL'),
    struck: 'Stopping by the end of its supervisor',
    ends: KILLED,
    // No deploy asked for it: nobody starts it again, as far as it knows.
    evidence: { 'handed off': { shown: /interrupted .*drain/ }, ...VANISHED },
  },
  {
    name: 'SIGKILL of supervisor and worker process together',
    worker: { env: SHORT_LEASE },
    beside: all('is lost'),
    strike({ worker }) {
      worker.signal('SIGKILL')
      process.kill(worker.pid, 'SIGKILL')
    },
    ends: KILLED,
    evidence: VANISHED,
  },
  {
    name: 'SIGKILL of the process group',
    short: true,
    worker: { group: true, env: SHORT_LEASE },
    beside: all('is lost'),
    strike: ({ worker }) => worker.signalGroup('SIGKILL'),
    ends: KILLED,
    evidence: VANISHED,
  },
  {
    name: 'SIGSTOP of all for longer than the lease, then SIGCONT',
    worker: { group: true, env: SHORT_LEASE },
    beside: all('is lost'),
    strike: ({ worker }) => worker.signalGroup('SIGSTOP'),
    wakes: async ({ worker }) => {
      worker.signalGroup('SIGCONT')
      await worker.logged('goes on as a new incarnation')
    },
    evidence: VANISHED,
  },
  {
    name: 'SIGSTOP of the worker process for longer than the lease, then SIGCONT',
    worker: { env: SHORT_LEASE },
    beside: all('is lost'),
    strike: ({ worker }) => void process.kill(worker.pid, 'SIGSTOP'),
    wakes: async ({ worker }) => {
      process.kill(worker.pid, 'SIGCONT')
      await worker.logged('goes on as a new incarnation')
    },
    evidence: VANISHED,
  },
]

/** The deaths that the code of a job brings over its process. */
const DEEDS: readonly Way[] = [
  {
    name: 'process.exit in a job',
    short: true,
    culprit: { family: 'here', deed: 'process.exit', fate: 'crashes' },
    beside: all('crashes'),
    evidence: {
      crashes: {
        error: { name: 'Crashed', exitCode: 3, message: 'exited with code 3' },
        shown: / 1 +crashed [^\n]*exited with code 3[^\n]*\n +exitCode 3/,
      },
    },
  },
  {
    // From beside, this looks like a kill by somebody else: nobody is suspected on such grounds.
    name: 'a job that sends SIGKILL to its own process',
    culprit: { family: 'here', deed: 'kill itself', fate: 'killed' },
    beside: all('killed'),
    evidence: OUTSIDE,
  },
  {
    name: 'out of memory: the heap limit of V8',
    worker: { node: ['--max-old-space-size=96'] },
    culprit: { family: 'here', deed: 'fill the heap', fate: 'crashes' },
    beside: all('crashes'),
    evidence: { crashes: { error: { name: 'Crashed', signal: 'SIGABRT' }, shown: / 1 +crashed .*killed by SIGABRT/ } },
  },
  {
    name: 'an exception that nobody catches',
    culprit: { family: 'here', deed: 'throw in a timer', fate: 'fails' },
    beside: handsOff,
    struck: 'Stopping by an uncaught exception',
    evidence: UNCAUGHT('thrown from a timer'),
  },
  {
    name: 'a rejection that nobody handles',
    culprit: { family: 'here', deed: 'reject unheard', fate: 'fails' },
    beside: handsOff,
    struck: 'Stopping by an unhandled rejection',
    evidence: UNCAUGHT('nobody listens'),
  },
  {
    name: 'an event loop that is blocked past the hard limit',
    culprit: { family: 'limited', deed: 'block the loop', fate: 'fails' },
    // Nobody can be told, and nobody is to blame.
    beside: all('taken along'),
    evidence: {
      ...REPLACED,
      fails: {
        error: { code: 'HF_HARD_LIMIT', stack: expect.stringMatching(/at blockTheLoop \(.*deaths\.ts:\d+:\d+\)/) },
        shown: / 1 +failed .*hard limit of 1s: the event loop was blocked[^\n]*\n(.*\n)? +at blockTheLoop /,
      },
    },
  },
  {
    name: 'code that goes on past its hard limit, and ignores its signal',
    short: true,
    culprit: { family: 'limited', deed: 'ignore the signal', fate: 'fails' },
    beside: cut,
    evidence: { ...REPLACED, fails: { error: { code: 'HF_HARD_LIMIT' }, shown: / 1 +failed .*hard limit of 1s/ } },
  },
]

/** The deaths of a process that a run has to itself: it alone ends. */
const APART: readonly Way[] = [
  {
    name: 'an isolated run that exits',
    culprit: { family: 'away', deed: 'process.exit', fate: 'crashes apart' },
    beside: all('completes'),
    tempers: ['short'],
    evidence: { 'crashes apart': { error: { code: 'HF_CRASHED', exitCode: 3 }, shown: /exited with code 3/ } },
  },
  {
    name: 'an isolated run that is killed',
    short: true,
    culprit: { family: 'away', deed: 'wait to be killed', fate: 'killed apart' },
    strike: (_, begun) => void (begun && process.kill(begun.pid, 'SIGKILL')),
    beside: all('completes'),
    tempers: ['short'],
    evidence: { 'killed apart': { error: { signal: 'SIGKILL' }, shown: /interrupted .*killed by SIGKILL/ } },
  },
]

export const WAYS: readonly Way[] = [...SIGNALS, ...DEEDS, ...APART]
