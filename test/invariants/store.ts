import { expect } from 'vitest'
import type { Stage } from '../support/stage.ts'
import { type Fence, type Job, S } from './facts.ts'
import type { Model } from './model.ts'

interface Row extends Omit<Job, 'once' | 'items' | 'moved' | 'lane' | 'position'> {
  readonly place: 'job' | 'waiting' | 'history'
  readonly once: boolean
  readonly lane: number | null
  readonly position: number | null
  readonly items: number | null
}

interface Everything {
  readonly jobs: Row[]
  readonly ledger: Record<string, Pick<Fence, 'id' | 'run'>[]>
  readonly workers: { key: number; alive: boolean; lease: 'held' | 'expired' | 'gone' }[]
  readonly requests: [string, string][]
  readonly checkpoints: Record<string, number>
}

/** All that the store holds, in one look. */
const EVERYTHING = `
select
  (select coalesce(json_agg(j), '[]') from (
    select 'job' as place, id, task, version, priority, state, run, worker, failures, interruptions, losses, crashes, lane, position, null::bigint as items, false as once
    from :schema.job
    union all
    select 'waiting', id, task, version, priority, state, run, null, failures, interruptions, losses, crashes, null, null, null, false from :schema.waiting
    union all
    select 'history', id, task, version, priority, state, run, null, failures, interruptions, losses, crashes, null, null, items, at_most_once from :schema.history
  ) as j) as jobs,
  (select coalesce(json_object_agg(worker || ' ' || claim, (
    select json_agg(json_build_object('id', k.id, 'run', k.run)) from unnest(ids, runs) as k(id, run)
  )), '{}') from :schema.ledger) as ledger,
  (select coalesce(json_agg(json_build_object('key', w.key, 'alive', w.alive, 'lease',
    case when l.worker is null then 'gone' when l.expires_at < clock_timestamp() then 'expired' else 'held' end) order by w.key), '[]')
    from :schema.worker w left join :schema.lease l on l.worker = w.key) as workers,
  (select coalesce(json_agg(json_build_array(id, action) order by id), '[]') from :schema.request) as requests,
  (select coalesce(json_object_agg(id, items), '{}') from :schema.checkpoint) as checkpoints`

const TABLES = [
  'job',
  'waiting',
  'history',
  'trail',
  'tail',
  'ledger',
  'lease',
  'worker',
  'checkpoint',
  'request',
  'part',
  'mark',
]

export async function empty(stage: Stage): Promise<void> {
  await stage.sql(TABLES.map((table) => `delete from :schema.${table}`).join('; '))
}

/** Every job is where the model has it, and nowhere else; positions that were drawn are above all before. */
export async function compare(stage: Stage, model: Model): Promise<void> {
  const [found] = await stage.sql<Everything>(EVERYTHING)
  if (found === undefined) throw new Error('no answer')
  const { checkpoints } = found
  const highest = Math.max(0, ...[...model.jobs.values()].map((job) => job.position ?? 0))
  const rows = found.jobs.map((row) => {
    const drawn = model.jobs.get(row.id)?.position === null && row.place === 'job'
    if (drawn) expect(row.position, `the fresh position of ${row.id}`).toBeGreaterThan(highest)
    return seen(row, row.place === 'history' ? row.items : (checkpoints[row.id] ?? null))
  })
  const wanted = [...model.jobs.values()].map((job) => {
    const row = found.jobs.find(({ id }) => id === job.id)
    if (job.position === null && row?.place === 'job') job.position = row.position
    return seen({ ...job, place: placeOf(job.state) }, job.items)
  })
  expect(byId(rows)).toEqual(byId(wanted))
  const running = [...model.jobs.values()].filter((job) => placeOf(job.state) !== 'history' && job.items !== null)
  expect(Object.keys(checkpoints).sort(), 'checkpoints').toEqual(running.map(({ id }) => id).sort())
  const ledger = [...model.ledger].map(([row, fences]) => [row, byId(fences.map(({ id, run }) => ({ id, run })))])
  for (const row of Object.keys(found.ledger)) found.ledger[row] = byId(found.ledger[row] ?? [])
  expect(found.ledger, 'ledger').toEqual(Object.fromEntries(ledger))
  expect(found.workers).toEqual(model.workers.map(({ key, alive, lease }) => ({ key, alive, lease })))
  expect(found.requests).toEqual([...model.requests].toSorted(([one], [other]) => (one < other ? -1 : 1)))
}

/** What no sequence of commands may break, said without the model: it might share its mistakes with the statements. */
export async function holdsTogether(stage: Stage, accepted: ReadonlySet<string>): Promise<void> {
  const found = await stage.sql<{ id: string; places: number }>(
    `select id, count(*)::int as places from (
      select id from :schema.job union all select id from :schema.waiting union all select id from :schema.history
    ) as j group by id`,
  )
  expect(
    found.filter(({ places }) => places !== 1),
    'jobs in two places',
  ).toEqual([])
  expect(new Set(found.map(({ id }) => id)), 'jobs that were accepted').toEqual(accepted)
  const loose = await stage.sql(
    `select id from :schema.job j where state > 0 and not exists (
      select from :schema.ledger l cross join unnest(l.ids, l.runs) as k(id, run)
      join :schema.worker w on w.key = l.worker join :schema.lease e on e.worker = w.key
      where l.worker = j.worker and k.id = j.id and k.run = j.run
    )`,
  )
  expect(loose, 'running jobs that no ledger of a worker with a lease knows: nothing would ever free them').toEqual([])
}

function placeOf(state: number): Row['place'] {
  return state >= S.completed ? 'history' : state >= S.scheduled ? 'waiting' : 'job'
}

function seen(
  row: Pick<Row, 'place'> & Partial<Row> & { id: string },
  items: number | null,
): { id: string; [column: string]: unknown } {
  const { place, id, task, version, priority, state, run, failures, interruptions, losses, crashes } = row
  const shared = {
    place,
    id,
    task,
    version,
    priority,
    state,
    run,
    failures,
    interruptions,
    losses,
    crashes,
    items: items === null ? null : Number(items),
  }
  if (place === 'history') return { ...shared, once: row.once }
  return place === 'job' ? { ...shared, worker: row.worker, lane: row.lane, position: row.position } : shared
}

export function byId<T extends { readonly id: string }>(rows: readonly T[]): T[] {
  return rows.toSorted((one, other) => (one.id < other.id ? -1 : 1))
}
