import { expect } from 'vitest'

/** What EXPLAIN ANALYZE tells of one statement. */
export interface Plan {
  /** Each scan of a table: how, and by which indexes. */
  readonly scans: readonly { readonly table: string; readonly node: string }[]
  readonly indexes: ReadonlySet<string>
  /** Pages touched, all statements of its CTEs included. */
  readonly pages: number
  /** The same with the statistics that a held snapshot leaves, where that was tried. */
  readonly deadPages?: number
  /** The same with a plan that its session keeps, where it does. */
  readonly keptPages?: number
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

/** What all of them do. */
export function allOf(living: Plan, dead: Plan, kept: readonly (Plan | undefined)[]): Plan {
  const keptPlans = kept.filter((plan) => plan !== undefined)
  const others = [dead, ...keptPlans]
  return {
    scans: [living, ...others].flatMap((plan) => plan.scans),
    indexes: new Set([...living.indexes].filter((index) => others.every((plan) => plan.indexes.has(index)))),
    pages: living.pages,
    deadPages: dead.pages,
    keptPages: Math.max(0, ...keptPlans.map((plan) => plan.pages)),
  }
}

function* walk(node: Node): Generator<Node> {
  yield node
  for (const child of node.Plans ?? []) yield* walk(child)
}

/**
 * The plan reads no growing table from end to end, uses these indexes, and touches at most so many pages; with dead statistics as many, unless
 * that is said: never more than twice as many.
 */
export function expectPlan(
  plan: Plan,
  { uses, pages, dead = pages }: { uses: readonly string[]; pages: number; dead?: number },
): void {
  const seq = plan.scans.filter(({ table, node }) => node.includes('Seq Scan') && GROWING.test(table))
  expect(seq, 'tables read from end to end').toEqual([])
  expect([...plan.indexes]).toEqual(expect.arrayContaining([...uses]))
  expect(plan.pages, 'pages').toBeLessThanOrEqual(pages)
  expect(plan.deadPages ?? 0, 'pages, with dead statistics').toBeLessThanOrEqual(Math.min(dead, 2 * pages))
  // Those that looked before it, and were rolled back, have left their versions of the rows.
  expect(plan.keptPages ?? 0, 'pages, with a plan that is kept').toBeLessThanOrEqual(3 * pages)
}
