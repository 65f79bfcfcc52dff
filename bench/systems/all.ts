import { graphileWorker } from './graphile-worker.ts'
import { holdfast } from './holdfast.ts'
import { pgBoss } from './pg-boss.ts'
import { sqlLoop } from './sql-loop.ts'
import type { System } from './system.ts'

export const SYSTEMS: readonly System[] = [holdfast, sqlLoop, graphileWorker, pgBoss]

export function systemOf(name: string): System {
  const found = SYSTEMS.find((system) => system.name === name)
  if (found === undefined) throw new Error(`No system is called ${name}`)
  return found
}
