import type { StandardSchemaV1 } from '@standard-schema/spec'
import { sanitizeText } from '../model/text.ts'

const MAX_ISSUES = 5
const MAX_MESSAGE_BYTES = 300

/**
 * What a schema has against a value, on one line: `input.orderId: expected string; input.lines[2].sku: too short`.
 * @param root what the value is called: `input`, or '' when the line says it already.
 */
export function describeIssues(issues: readonly StandardSchemaV1.Issue[], root: string): string {
  const shown = issues.slice(0, MAX_ISSUES).map((issue) => describe(issue, root))
  const more = issues.length - shown.length
  if (more > 0) shown.push(`and ${more} more`)
  return shown.join('; ')
}

function describe({ message, path = [] }: StandardSchemaV1.Issue, root: string): string {
  const place = path.reduce<string>((text, part) => text + step(typeof part === 'object' ? part.key : part, text), root)
  const said = sanitizeText(String(message), MAX_MESSAGE_BYTES)
  return place === '' ? said : `${place}: ${said}`
}

function step(key: PropertyKey, before: string): string {
  if (typeof key === 'number') return `[${key}]`
  const name = String(key)
  if (!/^[A-Za-z_$][\w$]*$/.test(name)) return `[${JSON.stringify(sanitizeText(name, MAX_MESSAGE_BYTES))}]`
  return before === '' ? name : `.${name}`
}
