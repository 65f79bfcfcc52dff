import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parseSync } from 'oxc-parser'

/** The house, from the ground up: a file imports from its own layer and from those before it. */
export const LAYERS = ['model', 'store', 'tasks', 'engine', 'deploy', 'surfaces'] as const
/** Everything else, on top: `cli/`, `testing/` and the files that stand directly in `src/`. */
const ENTRY_POINTS = 'entry points'

/** Path inside `src`, with `/`, to text. */
export type Sources = ReadonlyMap<string, string>

interface Module {
  /** Files inside `src`, types and `new URL('./x.ts', import.meta.url)` included. */
  readonly files: readonly string[]
  readonly packages: readonly string[]
  /** `process.env` and `process.argv`. */
  readonly settings: readonly string[]
  /** The beginnings of string literals that are SQL statements. */
  readonly sql: readonly string[]
}

export function readSources(folder: string): Sources {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.ts'))
    .sort()
  return new Map(files.map((file) => [file, readFileSync(path.join(folder, file), 'utf8')]))
}

/** One sentence for each breach of the rules of ARCHITECTURE.md. */
export function breaches(sources: Sources): string[] {
  const modules = new Map([...sources].map(([file, text]) => [file, readModule(file, text)]))
  const found: string[] = []
  for (const [file, module] of modules) {
    for (const target of module.files) {
      if (!modules.has(target)) found.push(`${file} imports ${target}, which does not exist`)
      else if (rank(target) > rank(file)) {
        found.push(`${file} (${layer(file)}) imports ${target} (${layer(target)}), which is further up`)
      } else if (surface(file) !== undefined && surface(target) !== undefined && surface(file) !== surface(target)) {
        found.push(`${file} imports ${target}: one surface must not know another`)
      }
    }
    if (layer(file) !== 'store') {
      for (const name of module.packages) {
        if (/^pg($|[-/])/.test(name)) found.push(`${file} imports ${name}: only store/ knows the database`)
      }
      // The demo is an application on top of Holdfast, with a table of its own.
      if (!file.startsWith('demo/'))
        for (const text of module.sql) found.push(`${file} holds SQL ("${text}"): statements live in store/sql/`)
    }
    if (layer(file) !== ENTRY_POINTS) {
      for (const name of module.settings) found.push(`${file} reads ${name}: only entry points do, and pass it down`)
    }
  }
  for (const cycle of cycles(modules)) found.push(`${cycle.join(' → ')}: an import cycle`)
  return found
}

function layer(file: string): string {
  const folder = file.includes('/') ? file.slice(0, file.indexOf('/')) : ''
  return LAYERS.find((name) => name === folder) ?? ENTRY_POINTS
}

function rank(file: string): number {
  const index = LAYERS.findIndex((name) => file.startsWith(`${name}/`))
  return index === -1 ? LAYERS.length : index
}

function surface(file: string): string | undefined {
  return /^surfaces\/([^/.]+)/.exec(file)?.[1]
}

interface Node {
  readonly type: string
  readonly [key: string]: unknown
}

const IMPORTS = new Set([
  ...['ImportDeclaration', 'ExportAllDeclaration', 'ExportNamedDeclaration'],
  ...['ImportExpression', 'TSImportType', 'TSExternalModuleReference'],
])
const SQL =
  /^\s*(select\s[\s\S]+\sfrom\s|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s|with\s+\w+\s+as\s*\(|(create|alter|drop)\s+(table|index|schema|function)\s|(begin|commit|rollback)\s*;?\s*$|set\s+local\s|(un)?listen\s+\S+$)/i

function readModule(file: string, text: string): Module {
  const { program, errors } = parseSync(file, text)
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`)
  const files: string[] = []
  const packages: string[] = []
  const settings: string[] = []
  const sql: string[] = []

  const refer = (specifier: string) => {
    if (specifier.startsWith('.')) files.push(path.posix.join(path.posix.dirname(file), specifier))
    else packages.push(specifier)
  }
  for (const node of nodesOf(program)) {
    const specifier = IMPORTS.has(node.type) ? stringOf(node.source ?? node.expression) : undefined
    if (specifier !== undefined) refer(specifier)
    if (node.type === 'NewExpression' && nameOf(node.callee) === 'URL') {
      const target = stringOf((node.arguments as unknown[])[0])
      if (target?.startsWith('.') && /\.[tj]s$/.test(target)) refer(target.replace(/\.js$/, '.ts'))
    }
    const setting = settingOf(node)
    if (setting !== undefined) settings.push(setting)
    const literal = node.type === 'TemplateLiteral' ? templateText(node) : stringOf(node)
    if (literal !== undefined && SQL.test(literal)) sql.push(literal.trim().replaceAll(/\s+/g, ' ').slice(0, 20))
  }
  return { files, packages, settings, sql }
}

/** Every node of the tree, in no particular order. */
function* nodesOf(root: unknown): Generator<Node> {
  const waiting = [root]
  while (waiting.length > 0) {
    const value = waiting.pop()
    if (typeof value !== 'object' || value === null) continue
    if (typeof (value as Node).type === 'string') yield value as Node
    waiting.push(...Object.values(value))
  }
}

/** `process.env`, `const { env } = process`, `import { env } from 'node:process'`. */
function settingOf(node: Node): string | undefined {
  const named = (name: unknown) => (name === 'env' || name === 'argv' ? `process.${name}` : undefined)
  if (node.type === 'MemberExpression' && nameOf(node.object) === 'process') return named(nameOf(node.property))
  if (node.type === 'VariableDeclarator' && nameOf(node.init) === 'process') {
    const properties = ((node.id as Node).properties ?? []) as Node[]
    return properties.map((property) => named(nameOf(property.key))).find((name) => name !== undefined)
  }
  if (node.type === 'ImportDeclaration' && /^(node:)?process$/.test(stringOf(node.source) ?? '')) {
    const specifiers = node.specifiers as Node[]
    return specifiers.map((each) => named(nameOf(each.imported))).find((name) => name !== undefined)
  }
  return undefined
}

function nameOf(node: unknown): unknown {
  return (node as Node | null | undefined)?.type === 'Identifier' ? (node as Node).name : undefined
}

function stringOf(node: unknown): string | undefined {
  const { type, value } = (node ?? {}) as Partial<Node>
  return type === 'Literal' && typeof value === 'string' ? value : undefined
}

function templateText(node: Node): string {
  return (node.quasis as { value: { cooked: string } }[]).map((quasi) => quasi.value.cooked).join('x')
}

/** One path for each knot of files that import each other, back to where it begins. */
function cycles(modules: ReadonlyMap<string, Module>): string[][] {
  const found: string[][] = []
  const done = new Set<string>()
  const visit = (file: string, above: readonly string[]) => {
    const start = above.indexOf(file)
    if (start !== -1) {
      found.push([...above.slice(start), file])
      return
    }
    if (done.has(file)) return
    for (const target of modules.get(file)?.files ?? []) visit(target, [...above, file])
    done.add(file)
  }
  for (const file of modules.keys()) visit(file, [])
  return found
}
