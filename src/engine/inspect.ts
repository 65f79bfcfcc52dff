import type { Session } from 'node:inspector'
import { fileURLToPath } from 'node:url'
import { within } from './within.ts'

/** The main thread, held still in the middle of its code. */
export interface Paused {
  /** What the expression gave. */
  readonly value: unknown
  /** Where its code was: the frames of the app, as an error's stack has them. */
  readonly stack: string
  /** Lets it go on. */
  resume(): Promise<void>
  /** Runs an expression on it; resolves at once when it ends the process. */
  evaluate(expression: string): Promise<unknown>
}

interface Frame {
  readonly functionName: string
  readonly location: { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber?: number }
}

interface PausedEvent {
  readonly params: { readonly callFrames: readonly Frame[] }
}

interface ScriptEvent {
  readonly params: { readonly scriptId: string; readonly url: string }
}

const MAX_FRAMES = 30
const MAX_STEPS = 5
const STEP_MS = 100

/**
 * Pauses the main thread, from another thread of the process, and evaluates an expression there: in the middle of its code it sees whose
 * code that is. Undefined: no answer within `patience` ms, as while it is inside a system call.
 */
export async function pauseMain(expression: string, patience: number): Promise<Paused | undefined> {
  const session = await connect()
  if (session === undefined) return undefined
  // Lets a paused thread go on, too.
  const end = (): void => session.disconnect()
  const post = (method: string, params?: object): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      session.post(method, params, (error, result) => {
        if (error === null || error === undefined) resolve((result ?? {}) as Record<string, unknown>)
        else reject(new Error(JSON.stringify(error)))
      })
    })
  const scripts = new Map<string, string>()
  session.on('Debugger.scriptParsed', ({ params }: ScriptEvent) => scripts.set(params.scriptId, params.url))
  const caught = (): Promise<readonly Frame[]> =>
    new Promise((resolve) => {
      session.once('Debugger.paused', (event: PausedEvent) => resolve(event.params.callFrames))
    })
  const isOwn = ({ location }: Frame): boolean => isOfApp(scripts.get(location.scriptId) ?? '')
  try {
    let frames = await within(
      firstOf(caught(), post('Debugger.enable'), () => post('Debugger.pause')),
      patience,
    )
    // Between two steps of an asynchronous loop only node's own code is to be seen; that of the app comes next.
    for (let step = 0; step < MAX_STEPS && frames !== undefined && !frames.some(isOwn); step++) {
      const next = caught()
      await post('Debugger.stepInto')
      frames = (await within(next, STEP_MS)) ?? (await within(firstOf(next, post('Debugger.pause')), patience))
    }
    if (frames === undefined) {
      end()
      return undefined
    }
    const evaluate = async (text: string): Promise<unknown> => {
      // Not in the frame: in one of node's own, there is no `Symbol` and no `process`.
      const how = { expression: text, silent: true, returnByValue: true }
      const { result } = (await post('Runtime.evaluate', how)) as { result?: { value?: unknown } }
      return result?.value
    }
    return {
      value: await evaluate(expression),
      stack: stackOf(frames, scripts),
      evaluate,
      resume: async () => {
        await post('Debugger.resume').catch(() => {})
        end()
      },
    }
  } catch {
    end()
    return undefined
  }
}

/** What comes of `work`, once whatever must be said for it has been said. */
async function firstOf<T>(
  work: Promise<T>,
  said: Promise<unknown>,
  then: () => Promise<unknown> = async () => {},
): Promise<T> {
  said.then(then).catch(() => {})
  return work
}

function isOfApp(url: string): boolean {
  return url !== '' && !url.startsWith('node:')
}

/** Undefined: this node was built without an inspector, or forbids it. */
async function connect(): Promise<Session | undefined> {
  try {
    const inspector = await import('node:inspector')
    const session = new inspector.Session()
    session.connectToMainThread()
    return session
  } catch {
    return undefined
  }
}

/** Without node's own frames, unless there are no others. */
function stackOf(frames: readonly Frame[], scripts: ReadonlyMap<string, string>): string {
  const placed = frames.map(({ functionName, location: { scriptId, lineNumber, columnNumber = 0 } }) => {
    const url = scripts.get(scriptId) ?? ''
    const file = url.startsWith('file:') ? fileURLToPath(url) : url || '<anonymous>'
    const place = `${file}:${lineNumber + 1}:${columnNumber + 1}`
    return { url, line: `    at ${functionName === '' ? place : `${functionName} (${place})`}` }
  })
  const own = placed.filter(({ url }) => isOfApp(url))
  const shown = own.length === 0 ? placed : own
  return shown
    .slice(0, MAX_FRAMES)
    .map(({ line }) => line)
    .join('\n')
}
