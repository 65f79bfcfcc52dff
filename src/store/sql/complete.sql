-- Ends jobs that completed and have no saved progress: the hot path, finish.sql cut to what such jobs need.
-- params: $1 ids uuid[], $2 runs int[], $3 results json[] (as text; empty: none), $4 keep boolean (false: no history rows), $5 worker int,
--         $6 claims bigint[] that this closes
-- returns: the ids that were ended. A missing one was ended before or has moved on: nothing was written for it.
-- fence: id, run, state > 0
-- index: job_pkey, one probe an id: LATERAL with a limit leaves the planner no other way (docs/decisions/0012-plans-that-stay.md)
with found as materialized (
  select k.run, k.result, j.tid
  from unnest($1::uuid[], $2::int[], $3::text[]) as k(id, run, result)
  cross join lateral (select ctid as tid from :schema.job where id = k.id limit 1) as j
), ended as (
  delete from :schema.job j
  using found k
  where j.ctid = k.tid and j.run = k.run and j.state > 0
  returning j.id, j.created_at, j.started_at, j.run, j.worker, j.interruptions, j.losses, j.failures, j.crashes, j.priority,
    j.state = 2 as once, j.version, j.queue, j.task, j.input, k.result::json as result
), closed as (
  delete from :schema.ledger where worker = $5 and claim = any($6::bigint[])
), kept as (
  insert into :schema.history (id, created_at, started_at, run, worker, interruptions, losses, failures, crashes, state, priority, version,
    at_most_once, queue, task, input, result)
  select id, created_at, started_at, run, worker, interruptions, losses, failures, crashes, 20, priority, version, once, queue, task, input, result
  from ended
  where $4::boolean
)
select id from ended
