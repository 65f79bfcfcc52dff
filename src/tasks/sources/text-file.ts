import { HoldfastError } from '../../model/errors.ts'
import type { ByteReader } from './bytes.ts'
import { BadUtf8, wholeCharacters } from './utf8.ts'

const CR = 13
const LF = 10

/** First bytes that say what a file is instead of text. */
const FOREIGN = [
  { start: [0xff, 0xfe], is: 'UTF-16; save it as UTF-8, or convert it: iconv -f utf-16 -t utf-8' },
  { start: [0xfe, 0xff], is: 'UTF-16; save it as UTF-8, or convert it: iconv -f utf-16 -t utf-8' },
  {
    start: [0x1f, 0x8b],
    is: 'compressed with gzip; unpack it, or pass a function that opens a stream through createGunzip()',
  },
  { start: [0x50, 0x4b, 0x03, 0x04], is: 'a zip archive (an Excel workbook is one); save it as text' },
]

/**
 * The bytes of a text file from an offset at which a line begins, as whole characters of valid UTF-8.
 *
 * On the way it makes sure that the file is still the one in which the offset was taken: the byte before must exist
 * and end a line. Reading begins one byte earlier for that, so that it costs no second request.
 */
export async function* textFrom(reader: ByteReader, offset: number, signal: AbortSignal): AsyncGenerator<Buffer, void> {
  const bytes = offset === 0 ? fromStart(reader, signal) : fromLineStart(reader, offset, signal)
  try {
    yield* wholeCharacters(bytes, offset)
  } catch (error) {
    if (!(error instanceof BadUtf8)) throw error
    throw new HoldfastError(
      'HF_SOURCE_FORMAT',
      `The source «${reader.name}» is not UTF-8: byte ${error.offset} does not belong there`,
    )
  }
}

async function* fromStart(reader: ByteReader, signal: AbortSignal): AsyncGenerator<Buffer, void> {
  let first = true
  for await (const chunk of reader.read(0, signal)) {
    const foreign = first ? FOREIGN.find(({ start }) => start.every((byte, at) => chunk[at] === byte)) : undefined
    if (foreign !== undefined)
      throw new HoldfastError('HF_SOURCE_FORMAT', `The source «${reader.name}» is ${foreign.is}`)
    first = false
    yield chunk
  }
}

async function* fromLineStart(reader: ByteReader, offset: number, signal: AbortSignal): AsyncGenerator<Buffer, void> {
  let before: number | undefined
  for await (const chunk of reader.read(offset - 1, signal)) {
    const rest = before === undefined ? chunk.subarray(1) : chunk
    before ??= chunk[0]
    if (rest.length === 0) continue
    // At the very end of the file the last line may lack its line break; text after it would belong to that line.
    if (before !== LF && before !== CR) throw changed(reader, offset, 'no line ends there any more')
    yield rest
  }
  if (before === undefined) throw changed(reader, offset, 'it is shorter than that now')
}

function changed(reader: ByteReader, offset: number, why: string): HoldfastError {
  return new HoldfastError('HF_SOURCE_CHANGED', `The source «${reader.name}» was read up to byte ${offset}, but ${why}`)
}
