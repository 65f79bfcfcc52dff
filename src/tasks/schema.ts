import type { StandardSchemaV1 } from '@standard-schema/spec'

/**
 * Any schema that follows [Standard Schema](https://standardschema.dev): zod, valibot, arktype and others.
 * A schema may transform: producers give its *input*, the body gets its *output*.
 */
export type Schema<Input = unknown, Output = Input> = StandardSchemaV1<Input, Output>

/** What a producer may give: the schema's input side. */
export type SchemaInput<S extends Schema> = StandardSchemaV1.InferInput<S>

/** What the body gets: the schema's output side, after defaults, coercions and transforms. */
export type SchemaOutput<S extends Schema> = StandardSchemaV1.InferOutput<S>

/** The schema of a task that declares no `input`. */
export type NoInput = Schema<undefined, undefined>
