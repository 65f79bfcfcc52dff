/**
 * Text from a job (an error's message, a stack) made fit for PostgreSQL: without NUL, with half surrogates replaced, and
 * at most `maxBytes` of UTF-8. Without it, failing a job could itself fail. What was cut is said at the end of the text.
 */
export function sanitizeText(text: string, maxBytes: number): string {
  // A character is at least one byte, so more than maxBytes of them are never looked at: 10 MB cost nothing.
  const clean = text
    .slice(0, maxBytes + 1)
    .replaceAll('\0', '')
    .toWellFormed()
  if (text.length <= maxBytes && Buffer.byteLength(clean) <= maxBytes) return clean
  const marker = `… [cut, ${text.length} characters in all]`
  if (Buffer.byteLength(marker) >= maxBytes) return cutAtCharacter(clean, maxBytes)
  return cutAtCharacter(clean, maxBytes - Buffer.byteLength(marker)) + marker
}

/** At most `maxBytes` of UTF-8, never half a character. */
function cutAtCharacter(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text)
  let end = Math.min(bytes.length, maxBytes)
  // 10xxxxxx continues a character: step back to where it began.
  while (end > 0 && end < bytes.length && ((bytes[end] as number) & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}
