import { isUtf8 } from 'node:buffer'

/** Where a text is not UTF-8: the offset of the first bad byte. */
export class BadUtf8 extends Error {
  readonly offset: number

  constructor(offset: number) {
    super(`byte ${offset} is not UTF-8`)
    this.offset = offset
  }
}

/**
 * The same bytes in chunks that end between characters, checked to be UTF-8: decoding would replace bad bytes by
 * U+FFFD and so change data silently. Everything before the first bad byte is given out before `BadUtf8` is thrown.
 *
 * @param offset of the first byte, for the error.
 */
export async function* wholeCharacters(chunks: AsyncIterable<Buffer>, offset: number): AsyncGenerator<Buffer, void> {
  let rest: Buffer = Buffer.alloc(0)
  let position = offset
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const whole = bytes.subarray(0, bytes.length - unfinished(bytes))
    if (!isUtf8(whole)) {
      const good = goodPrefix(whole)
      yield whole.subarray(0, good)
      throw new BadUtf8(position + good)
    }
    if (whole.length > 0) yield whole
    position += whole.length
    rest = bytes.subarray(whole.length)
  }
  if (rest.length > 0) throw new BadUtf8(position)
}

/** How many bytes at the end begin a character that goes on in the next chunk: 0 to 3. */
function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] as number
    if ((byte & 0xc0) === 0x80) continue // 10xxxxxx goes on a character: look further back for its start
    return back < lengthFrom(byte) ? back : 0
  }
  return 0
}

/** How many bytes a character has, by its first byte. */
function lengthFrom(byte: number): number {
  if (byte >= 0xf0) return 4
  if (byte >= 0xe0) return 3
  return byte >= 0xc0 ? 2 : 1
}

/** Only called once it is known that something is wrong. */
function goodPrefix(bytes: Buffer): number {
  let at = 0
  while (at < bytes.length) {
    const length = lengthFrom(bytes[at] as number)
    if (!isUtf8(bytes.subarray(at, at + length))) return at
    at += length
  }
  return at
}
