import { expect } from 'vitest'
import { ITEMS } from '../fixtures/apps/kill.ts'
import type { Stage } from '../support/stage.ts'
import type { Sighting, Witness } from '../support/witness.ts'
import type { Fleet } from './fleet.ts'

/** What was enqueued, by task. */
export type Enqueued = Record<'finish' | 'restart' | 'pay' | 'carry' | 'walk' | 'once', string[]>

export const WALK_ITEMS = 150

/** Writes down whatever may only rise, and fell. */
export async function watch(stage: Stage): Promise<void> {
  await stage.sql(`
    create table fell (what text, id uuid, before bigint, after bigint);
    create table carried (job uuid, n int);
    create table paid (job uuid);
    create function items_fell() returns trigger language plpgsql as $$ begin
      if new.items < old.items then insert into fell values ('items', new.id, old.items, new.items); end if;
      return null;
    end $$;
    create function run_fell() returns trigger language plpgsql as $$ begin
      if new.run < old.run then insert into fell values ('run', new.id, old.run, new.run); end if;
      return null;
    end $$;
    create trigger items_fell after update on :schema.checkpoint for each row execute function items_fell();
    create trigger run_fell after update on :schema.job for each row execute function run_fell();`)
}

/** Jobs that have not ended. */
export async function left(stage: Stage): Promise<number> {
  const [row] = await stage.sql<{ jobs: number }>(
    'select ((select count(*) from :schema.job) + (select count(*) from :schema.waiting))::int as jobs',
  )
  return row?.jobs ?? -1
}

/** A run in which no fault struck proves nothing: it is invalid, not green. */
export function requireStrikes(fleet: Fleet, witness: Witness, needed: { batches: number }): void {
  const sightings = witness.saw()
  const killedWithin = (begin: string, end: string) =>
    fleet.killed.filter(({ pid }) => isWithin(sightings, pid, begin, end)).length
  expect(killedWithin('open', 'close'), 'INVALID RUN: kills that struck inside an open batch').toBeGreaterThanOrEqual(
    needed.batches,
  )
  expect(
    killedWithin('once', 'once over'),
    'INVALID RUN: kills that struck inside at-most-once code',
  ).toBeGreaterThanOrEqual(1)
  const refused = fleet.frozen.filter((worker) => worker.log.some((line) => line.msg.includes('lost its lease'))).length
  expect(refused, 'INVALID RUN: frozen workers that lost their lease').toBeGreaterThanOrEqual(1)
  const handedOff = fleet.terminated.some((worker) =>
    worker.log.some((line) => line.msg.includes('Job interrupted: deploy')),
  )
  expect(handedOff, 'INVALID RUN: a job was handed off at a stop signal').toBe(true)
}

/** Whether the last word of a process on any of its jobs was that something had begun. */
function isWithin(sightings: readonly Sighting[], pid: number, begin: string, end: string): boolean {
  const last = new Map<unknown, string>()
  for (const { pid: by, what, id } of sightings) if (by === pid && (what === begin || what === end)) last.set(id, what)
  return [...last.values()].includes(begin)
}

interface Ended {
  id: string
  task: string
  state: number
  failures: number
  items: number | null
}

export async function check(stage: Stage, witness: Witness, fleet: Fleet, enqueued: Enqueued): Promise<void> {
  const ended = await stage.sql<Ended>('select id, task, state, failures, items::int from :schema.history')
  const everything = Object.values(enqueued).flat()
  expect(ended.map(({ id }) => id).sort(), 'each job ended once').toEqual(everything.sort())
  expect(
    ended.filter(({ failures }) => failures > 0),
    'no fault costs a failure',
  ).toEqual([])
  expect(
    ended.filter(({ task, state }) => task !== 'once' && state !== 20),
    'all that may run again have completed',
  ).toEqual([])

  const carried = await stage.sql(
    'select job, count(*)::int, count(distinct n)::int as items from carried group by job',
  )
  const exact = enqueued.carry.map((job) => ({ job, count: ITEMS, items: ITEMS }))
  expect(carried, 'transactional effects: each exactly once').toHaveLength(exact.length)
  expect(carried).toEqual(expect.arrayContaining(exact))
  const paid = await stage.sql<{ job: string }>('select job from paid')
  expect(paid.map(({ job }) => job).sort(), 'completions: each exactly once').toEqual(enqueued.pay.toSorted())

  const sightings = witness.saw()
  const ran = new Set(sightings.filter(({ what }) => what === 'ran').map(({ id }) => id))
  for (const id of [...enqueued.finish, ...enqueued.restart]) expect(ran, 'the code ran to its end').toContain(id)
  const items = new Set(
    sightings.filter(({ what }) => what === 'item').map(({ id, n }) => `${String(id)} ${String(n)}`),
  )
  expect(items.size, 'periodic items: each at least once').toBe(enqueued.walk.length * WALK_ITEMS)

  const starts = sightings.filter(({ what }) => what === 'once').map(({ id }) => id)
  expect(starts.length, 'at-most-once: no id started twice').toBe(new Set(starts).size)
  const once = ended.filter(({ task }) => task === 'once')
  const unstarted = once.filter(({ id, state }) => state === 20 && !starts.includes(id))
  expect(unstarted, 'at-most-once: none completed that was not started').toEqual([])
  const states = new Set(once.map(({ state }) => state))
  expect(
    [...states].filter((state) => ![20, 24, 25].includes(state)),
    'at-most-once: completed, lost or interrupted',
  ).toEqual([])

  expect(await stage.sql('select * from fell'), 'no checkpoint and no run went backwards').toEqual([])
  for (const worker of fleet.all) expect(worker.noise, `worker ${worker.pid} printed nothing but its log`).toEqual([])
  for (const worker of fleet.terminated) expect((await worker.exit()).code, `worker ${worker.pid} left with`).toBe(0)
}
