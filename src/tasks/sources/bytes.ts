import { open } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { HoldfastError } from '../../model/errors.ts'
import { show } from '../../model/show.ts'
import { orAborted, untilAborted } from './abort.ts'
import { refuseOption } from './check.ts'

/**
 * A path, a `file:` URL, or a function that opens a stream of bytes at an offset: a ranged GET of an object store.
 * The stream is read as bytes; it must not have an encoding set.
 */
export type FileInput =
  | string
  | URL
  | ((offset: number, signal: AbortSignal) => AsyncIterable<Uint8Array> | Promise<AsyncIterable<Uint8Array>>)

export interface ByteReader {
  /** `csv orders.csv`: what the source is called. */
  readonly name: string
  /** The bytes from an offset on, in chunks. Closes the file or stream when the consumer stops or the signal aborts. */
  read(offset: number, signal: AbortSignal): AsyncGenerator<Buffer, void>
}

const CHUNK = 64 * 1024

/** @param format `csv` or `jsonl`, for names and messages. */
export function byteReader(format: string, file: FileInput): ByteReader {
  if (typeof file === 'function') {
    const name = `${format} stream`
    return { name, read: (offset, signal) => readStream(name, file, offset, signal) }
  }
  const path = pathOf(format, file)
  const name = `${format} ${path}`
  return { name, read: (offset, signal) => readPath(name, path, offset, signal) }
}

function pathOf(format: string, file: unknown): string {
  const takes = 'a path, a file: URL or a function that opens a stream at an offset'
  const isAddress = typeof file === 'string' && /^[a-z][a-z0-9+.-]+:\/\//i.test(file)
  if (file instanceof URL ? file.protocol === 'file:' : isAddress && file.startsWith('file://'))
    return fileURLToPath(file as string)
  if (typeof file !== 'string' || isAddress || file === '' || file.includes('\0'))
    return refuseOption(`The file of ${format}()`, takes, shown(file))
  return file
}

function shown(file: unknown): unknown {
  return file instanceof URL ? file.href : file
}

async function* readPath(
  name: string,
  path: string,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void> {
  signal.throwIfAborted()
  const handle = await reading(name, open(path))
  try {
    for (let position = offset; ; ) {
      signal.throwIfAborted()
      const { bytesRead, buffer } = await reading(name, handle.read(Buffer.allocUnsafeSlow(CHUNK), 0, CHUNK, position))
      if (bytesRead === 0) return
      position += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await handle.close()
  }
}

async function reading<T>(name: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    throw new HoldfastError('HF_SOURCE_READ', `The source «${name}» cannot be read: ${(cause as Error).message}`, {
      cause,
    })
  }
}

async function* readStream(
  name: string,
  openAt: Exclude<FileInput, string | URL>,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void> {
  signal.throwIfAborted()
  const opening = Promise.resolve(openAt(offset, signal))
  const stream = await orAborted(opening, signal).catch((error: unknown) => {
    opening.then(destroy, () => {}) // opened too late: nobody will read it
    throw error
  })
  try {
    for await (const chunk of untilAborted(stream, signal)) {
      if (!(chunk instanceof Uint8Array)) throw notBytes(name, chunk)
      yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    }
  } finally {
    destroy(stream)
  }
}

/** A stream that hangs does not hear `return`; `destroy` closes its socket at once. */
function destroy(stream: unknown): void {
  const { destroy } = stream as { destroy?: unknown }
  if (typeof destroy === 'function') destroy.call(stream)
}

function notBytes(name: string, chunk: unknown): HoldfastError {
  const cure = 'Offsets are counted in bytes: set no encoding on the stream'
  return new HoldfastError('HF_SOURCE_FORMAT', `The source «${name}» gave ${show(chunk)} where bytes belong. ${cure}`)
}
