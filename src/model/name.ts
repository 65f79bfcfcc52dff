import { editDistance } from './edit-distance.ts'
import { HoldfastError } from './errors.ts'
import { show } from './show.ts'

export type NameKind = 'task' | 'queue' | 'build' | 'schema'

interface NameRule {
  readonly pattern: RegExp
  readonly text: string
}

/** Short enough for every index and log line, and without characters that a shell, a URL or a terminal would take for its own. */
const IDENTIFIER: NameRule = {
  pattern: /^[A-Za-z0-9_.:/-]{1,128}$/,
  text: '1 to 128 of the characters A-Z a-z 0-9 _ . : / -',
}

const RULES: Readonly<Record<NameKind, NameRule>> = {
  task: IDENTIFIER,
  queue: IDENTIFIER,
  build: IDENTIFIER,
  // PostgreSQL cuts identifiers at 63 bytes without an error; 40 leave room for what is put behind the schema's name.
  schema: { pattern: /^[a-z_][a-z0-9_]{0,39}$/, text: 'a lower-case letter or _, then at most 39 of a-z 0-9 _' },
}

/**
 * The name, if it has the form that its kind must have.
 * @throws {HoldfastError} HF_NAME with the rule.
 */
export function checkName(kind: NameKind, name: unknown): string {
  const rule = RULES[kind]
  if (typeof name === 'string' && rule.pattern.test(name)) return name
  throw new HoldfastError('HF_NAME', `The name of a ${kind} must be ${rule.text}, not ${show(name)}`)
}

const MAX_COMPARED = 64

/** The candidate that was most likely meant by a misspelt word, or `undefined` if none is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = normalize(word)
  let nearest: string | undefined
  let least = 1 + Math.floor(Math.max(wanted.length, 3) / 3)
  for (const candidate of candidates) {
    const distance = editDistance(wanted, normalize(candidate))
    if (distance >= least) continue
    least = distance
    nearest = candidate
  }
  return nearest
}

/** ` Did you mean 'realtime'?`, to stand behind a message, or nothing. */
export function suggestion(word: string, candidates: Iterable<string>): string {
  const meant = didYouMean(word, candidates)
  return meant === undefined ? '' : ` Did you mean '${meant}'?`
}

function normalize(word: string): string {
  return word.slice(0, MAX_COMPARED).toLowerCase().replaceAll('_', '-')
}
