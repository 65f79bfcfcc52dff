// Compiles src/store/sql/*.sql and src/store/migrations/*.sql into one TypeScript module, so that the published package reads no files
// at run time. The contract header of a statement stays in the file; the wire gets the statement alone.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const store = join(import.meta.dirname, '../src/store')
const target = join(store, 'sql.gen.ts')

export function generate(): string {
  const statements = sqlFiles('sql').map(([name, text]) => `  ${name}: ${literal(body(text))},`)
  const migrations = sqlFiles('migrations').map(([name, text]) => {
    const number = Number(name.slice(0, 4))
    const kind = /^-- kind: (additive|breaking)\n/.exec(text)?.[1]
    if (!kind) throw new Error(`${name}.sql must begin with "-- kind: additive" or "-- kind: breaking"`)
    return `  { number: ${number}, name: '${name.slice(5)}', kind: '${kind}', text: ${literal(text)} },`
  })
  return [
    '// Generated from sql/*.sql and migrations/*.sql by `npm run build:sql`. Do not edit.',
    'export const STATEMENTS = {',
    ...statements,
    '} as const',
    '',
    "export const MIGRATIONS: readonly { number: number; name: string; kind: 'additive' | 'breaking'; text: string }[] = [",
    ...migrations,
    ']',
    '',
  ].join('\n')
}

function sqlFiles(folder: string): [name: string, text: string][] {
  return readdirSync(join(store, folder))
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => [file.slice(0, -'.sql'.length), readFileSync(join(store, folder, file), 'utf8')])
}

function body(text: string): string {
  const lines = text.split('\n')
  const first = lines.findIndex((line) => !line.startsWith('--'))
  return lines.slice(first).join('\n').trim()
}

function literal(text: string): string {
  return `\`${text.replaceAll('\\', '\\\\').replaceAll('`', '\\`').replaceAll('${', '\\${')}\``
}

if (import.meta.main) writeFileSync(target, generate())
