import { createHash } from 'node:crypto'
import type { Schema } from './schema.ts'

/** What can be said of a schema to somebody who does not have its code. */
export interface InputManifest {
  /** The library that it comes from. */
  readonly vendor: string
  /** As JSON Schema; null: the library does not say, or it is too large. */
  readonly schema: object | null
  /** Of the same; null: nobody can tell whether two are the same. */
  readonly hash: string | null
}

/** Of one task's schema as JSON. */
const MAX_BYTES = 16 * 1024
/** PostgreSQL keeps no such characters, not even in JSON that it only hands back. */
const UNFIT = /\\u(?:0000|d[89a-f])/i
const MAX_DEPTH = 64

/** The input side: what producers give, before any transform. */
export function inputManifest(schema: Schema | undefined): InputManifest | null {
  if (schema === undefined) return null
  const standard = schema['~standard']
  const vendor = String(standard.vendor).slice(0, 64)
  const text = jsonSchemaOf(standard)
  if (text === undefined) return { vendor, schema: null, hash: null }
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16)
  const fits = Buffer.byteLength(text) <= MAX_BYTES && !UNFIT.test(text)
  return { vendor, schema: fits ? (JSON.parse(text) as object) : null, hash }
}

export function withoutSchema(input: InputManifest | null): InputManifest | null {
  return input && { ...input, schema: null }
}

/** By https://standardschema.dev/json-schema, which not every library follows, and none for every schema. */
function jsonSchemaOf(standard: unknown): string | undefined {
  const { jsonSchema } = standard as { jsonSchema?: { input?: (options: { target: string }) => unknown } }
  try {
    const schema = jsonSchema?.input?.({ target: 'draft-2020-12' })
    if (typeof schema !== 'object' || schema === null) return undefined
    return JSON.stringify(inOrder(schema, '', 0))
  } catch {
    return undefined // a schema of its library's own code, or a promise of it: there is no telling what it takes
  }
}

/** With the keys in one order: who writes the properties of an input in another one has changed nothing. */
function inOrder(value: unknown, under: string, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new RangeError('a schema inside a schema inside a schema')
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const items = value.map((item) => inOrder(item, '', depth + 1))
    return under === 'required' && items.every((item) => typeof item === 'string') ? items.sort() : items
  }
  const entries = Object.entries(value).filter(([key]) => key !== '$schema')
  return Object.fromEntries(
    entries
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, inner]) => [key, inOrder(inner, key, depth + 1)]),
  )
}
