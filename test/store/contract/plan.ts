import { expect } from 'vitest'

/** What EXPLAIN ANALYZE tells of one statement. */
export interface Plan {
  /** Each scan of a table: how, and by which indexes. */
  readonly scans: readonly { readonly table: string; readonly node: string }[]
  readonly indexes: ReadonlySet<string>
  /** Pages touched, all statements of its CTEs included. */
  readonly pages: number
}

interface Node {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly Plans?: readonly Node[]
  readonly 'Shared Hit Blocks': number
  readonly 'Shared Read Blocks': number
}

/** Tables that grow with the jobs: reading one from end to end is never right. */
const GROWING = /^(job|waiting|history.*|trail.*|tail.*|checkpoint|part|ledger)$/

export function readPlan(explained: unknown): Plan {
  const root = (explained as { Plan: Node }).Plan
  const nodes = [...walk(root)]
  return {
    scans: nodes
      .filter((node) => node['Relation Name'] !== undefined && node['Node Type'] !== 'ModifyTable')
      .map((node) => ({ table: node['Relation Name'] as string, node: node['Node Type'] })),
    indexes: new Set(nodes.flatMap((node) => node['Index Name'] ?? [])),
    pages: root['Shared Hit Blocks'] + root['Shared Read Blocks'],
  }
}

/** What both do, and the pages of the one that touches more. */
export function worse(a: Plan, b: Plan): Plan {
  return {
    scans: [...a.scans, ...b.scans],
    indexes: new Set([...a.indexes].filter((index) => b.indexes.has(index))),
    pages: Math.max(a.pages, b.pages),
  }
}

function* walk(node: Node): Generator<Node> {
  yield node
  for (const child of node.Plans ?? []) yield* walk(child)
}

/** The plan reads no growing table from end to end, uses these indexes, and touches at most so many pages. */
export function expectPlan(plan: Plan, expected: { uses: readonly string[]; pages: number }): void {
  const seq = plan.scans.filter(({ table, node }) => node.includes('Seq Scan') && GROWING.test(table))
  expect(seq, 'tables read from end to end').toEqual([])
  expect([...plan.indexes]).toEqual(expect.arrayContaining([...expected.uses]))
  expect(plan.pages, 'pages').toBeLessThanOrEqual(expected.pages)
}
