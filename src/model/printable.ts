import { maskSecrets } from './mask.ts'

/** Control characters, the marks that turn the direction of writing around, and what some programs take for line ends. */
const UNSAFE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/**
 * Text of a job as a terminal may show it, on one line. Raw, it could move the cursor, rewrite what stands above, or set the
 * title and the clipboard of whoever looks at it.
 */
export function printable(text: string): string {
  return text.toWellFormed().replace(UNSAFE, (character) => SHORT[character] ?? escaped(character))
}

/** JSON in which no character can steer a terminal, and no connection string shows its password. */
export function printableJson(value: unknown, indent?: number): string {
  const text = JSON.stringify(
    value,
    (_, part: unknown) => (typeof part === 'string' ? maskSecrets(part) : part),
    indent,
  )
  // JSON.stringify has escaped every newline of the value: what is left are its own.
  return text.replace(UNSAFE, (character) => (character === '\n' ? character : escaped(character)))
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
