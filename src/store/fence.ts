import { plainArray } from './arrays.ts'

/** What each write of a run names: it lands only while the job is in that run. */
export interface Fence {
  readonly id: string
  readonly run: number
}

export function fenceArrays(fences: readonly Fence[]): [string, string] {
  return [plainArray(fences.map((fence) => fence.id)), plainArray(fences.map((fence) => fence.run))]
}
