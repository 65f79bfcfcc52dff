import type { StandardSchemaV1 } from '@standard-schema/spec'
import { HoldfastError } from '../../model/errors.ts'
import { describeIssues } from '../issues.ts'
import type { Schema } from '../schema.ts'
import { refuseOption } from './check.ts'

export function requireSchema(what: string, value: unknown): void {
  const standard = (value as Partial<Schema> | null | undefined)?.['~standard']
  if (typeof standard?.validate !== 'function')
    refuseOption(what, 'a schema that follows Standard Schema (zod, valibot, arktype, …)', value)
}

/**
 * An item as its schema parses it. Not an async function, since almost every schema answers at once.
 * @param where names the item: `csv orders.csv: record 17, line 19 (byte 1234)`. Only called when it does not fit.
 */
export function parseItem(schema: Schema, value: unknown, where: () => string): unknown {
  const result = schema['~standard'].validate(value)
  return result instanceof Promise ? result.then((late) => accept(late, where)) : accept(result, where)
}

function accept(result: StandardSchemaV1.Result<unknown>, where: () => string): unknown {
  if (result.issues === undefined) return result.value
  throw new HoldfastError('HF_ITEM', `${where()} does not fit its schema: ${describeIssues(result.issues, '')}`)
}
