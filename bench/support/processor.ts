import { readFileSync } from 'node:fs'
import type pg from 'pg'

/** A clock tick of Linux, ms. */
const TICK_MS = 10

/** What all processes of the server that it tells of have used so far, ms; undefined where /proc is missing. */
export async function serverCpu(client: pg.Client): Promise<number | undefined> {
  const { rows } = await client.query('select pid from pg_stat_activity')
  try {
    return rows.reduce((sum: number, { pid }: { pid: number }) => sum + processCpu(pid), 0)
  } catch {
    return undefined
  }
}

function processCpu(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}
