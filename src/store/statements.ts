import { STATEMENTS } from './sql.gen.ts'

export type StatementName = keyof typeof STATEMENTS
export type Statements = Readonly<Record<StatementName, string>>

/** The statements with the schema's name in place. The name must have been validated (`model/name.ts`): it becomes an identifier. */
export function statementsFor(schema: string): Statements {
  const entries = Object.entries(STATEMENTS).map(([name, text]) => [name, inSchema(text, schema)])
  return Object.freeze(Object.fromEntries(entries)) as Statements
}

export function inSchema(text: string, schema: string): string {
  return text.replaceAll(':schema.', `${schema}.`)
}
