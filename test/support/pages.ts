import { readFileSync, rmSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'

const root = path.join(import.meta.dirname, '../..')

/** A fenced block of code. */
export interface Block {
  /** What stands behind the backticks: `ts`, `ts fragment`, `sh`. */
  readonly info: string
  readonly code: string
  /** Of its first line of code, from 1. */
  readonly line: number
}

/** @param page inside the repository: `README.md`. */
export function readPage(page: string): string {
  return readFileSync(path.join(root, page), 'utf8')
}

export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = []
  let open: { info: string; line: number; fence: string; lines: string[] } | undefined
  for (const [index, line] of markdown.split('\n').entries()) {
    const [, fence, info] = /^ *(`{3,})(.*)$/.exec(line) ?? []
    if (open === undefined) {
      if (fence !== undefined) open = { info: info?.trim() ?? '', line: index + 2, fence, lines: [] }
    } else if (fence !== undefined && fence.length >= open.fence.length && info?.trim() === '') {
      blocks.push({ info: open.info, line: open.line, code: open.lines.map((each) => `${each}\n`).join('') })
      open = undefined
    } else open.lines.push(line)
  }
  return blocks
}

/** The page without its blocks and spans of code: what is a link outside them is no link inside. */
export function proseOf(markdown: string): string {
  return markdown.replaceAll(/^ *(`{3,})[\s\S]*?^ *\1`*$/gm, '').replaceAll(/`[^`\n]*`/g, '')
}

/** A block that says it is a whole program, by an import at its beginning or by the name of its file: `// file: jobs.ts`. */
export interface Program {
  /** Below the folder of the page. */
  readonly file: string
  readonly code: string
}

export function programsOf(markdown: string): Program[] {
  const programs: Program[] = []
  for (const { info, code } of blocksOf(markdown)) {
    if (info !== 'ts') continue
    const named = /^\/\/ file: (\S+)\n/.exec(code)?.[1]
    if (named === undefined && !code.startsWith('import ')) continue
    const file = named ?? `program-${programs.length + 1}.ts`
    if (programs.some((other) => other.file === file)) throw new Error(`Two programs of one page are called ${file}`)
    programs.push({ file, code })
  }
  return programs
}

/** Writes the programs of a page into a folder of their own, so that they can import each other. */
export async function writePrograms(page: string, folder: string): Promise<Program[]> {
  const home = path.join(folder, `doc-${page.replaceAll('/', '-').replace(/\.md$/, '')}`)
  rmSync(home, { recursive: true, force: true })
  const programs = programsOf(readPage(page))
  for (const { file, code } of programs) {
    const target = path.join(home, file)
    await mkdir(path.dirname(target), { recursive: true })
    await writeFile(target, code)
  }
  return programs
}
