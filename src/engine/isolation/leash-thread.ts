// In a cell, beside the code of a job, which may block its thread for ever. The leash is a pipe to the worker: when it ends, the worker is
// gone, and the cell goes too, with everything that it started. Asked over it where the code is, this thread looks.
import { Session } from 'node:inspector'
import { Socket } from 'node:net'
import { workerData } from 'node:worker_threads'

const { fd } = workerData as { fd: number }
const MOST_FRAMES = 30

const leash = new Socket({ fd, readable: true, writable: true })
leash.on('data', () => sendStack())
leash.on('error', leave)
leash.on('close', leave)
leash.on('end', leave)

function leave(): void {
  try {
    // The group: what the job started must not outlive it.
    if (process.platform !== 'win32') process.kill(-process.pid, 'SIGKILL')
  } finally {
    process.kill(process.pid, 'SIGKILL')
  }
}

interface Frame {
  readonly functionName: string
  readonly location: { readonly scriptId: string; readonly lineNumber: number; readonly columnNumber?: number }
}

function sendStack(): void {
  const session = new Session()
  session.connectToMainThread()
  const files = new Map<string, string>()
  session.on('Debugger.scriptParsed', ({ params: { scriptId, url } }) => files.set(scriptId, url))
  session.on('Debugger.paused', ({ params }) => {
    const frames = params.callFrames as unknown as readonly Frame[]
    leash.write(
      `${frames
        .slice(0, MOST_FRAMES)
        .map((frame) => lineOf(frame, files))
        .join('\n')}\0`,
    )
    session.post('Debugger.resume')
    session.disconnect()
  })
  session.post('Debugger.enable')
  session.post('Debugger.pause')
}

function lineOf({ functionName, location }: Frame, files: ReadonlyMap<string, string>): string {
  const { scriptId, lineNumber, columnNumber = 0 } = location
  const place = `${files.get(scriptId) ?? '?'}:${lineNumber + 1}:${columnNumber + 1}`
  return `    at ${functionName === '' ? '<anonymous>' : functionName} (${place})`
}
