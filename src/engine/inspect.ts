import type { Session } from 'node:inspector'

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
  readonly callFrameId: string
  readonly functionName: string
  readonly url: string
  readonly location: { readonly lineNumber: number; readonly columnNumber?: number }
}

interface PausedEvent {
  readonly params: { readonly callFrames: readonly Frame[] }
}

const MAX_FRAMES = 30

/**
 * Pauses the main thread, from another thread of the process, and evaluates an expression in the frame where it was caught: so it sees
 * whose code that is. Undefined: no answer within `patience` ms, as while it is inside a system call.
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
  let timer: NodeJS.Timeout | undefined
  try {
    const caught = new Promise<readonly Frame[]>((resolve) => {
      session.once('Debugger.paused', (event: PausedEvent) => resolve(event.params.callFrames))
    })
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), patience)
    })
    const asked = post('Debugger.enable').then(() => post('Debugger.pause'))
    asked.catch(() => {})
    const frames = await Promise.race([caught, late])
    const first = frames?.[0]
    if (frames === undefined || first === undefined) {
      end()
      return undefined
    }
    const evaluate = async (text: string): Promise<unknown> => {
      const how = { callFrameId: first.callFrameId, expression: text, silent: true, returnByValue: true }
      const { result } = (await post('Debugger.evaluateOnCallFrame', how)) as { result?: { value?: unknown } }
      return result?.value
    }
    return {
      value: await evaluate(expression),
      stack: stackOf(frames),
      evaluate,
      resume: async () => {
        await post('Debugger.resume').catch(() => {})
        end()
      },
    }
  } catch {
    end()
    return undefined
  } finally {
    clearTimeout(timer)
  }
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

function stackOf(frames: readonly Frame[]): string {
  const lines = frames.map(({ functionName, url, location }) => {
    const place = `${url.replace(/^file:\/\//, '') || '<anonymous>'}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1}`
    return `    at ${functionName === '' ? place : `${functionName} (${place})`}`
  })
  const own = lines.filter((line) => !/[( ]node:|<anonymous>/.test(line))
  return (own.length === 0 ? lines : own).slice(0, MAX_FRAMES).join('\n')
}
