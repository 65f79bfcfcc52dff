-- Ends jobs: moves them to the history, with result or error, and forgets their progress and requests.
-- params: $1 ids uuid[], $2 runs int[], $3 states smallint[] (20 completed … 25 interrupted), $4 results json[] (as text),
--         $5 errors json[] (as text), $6 keep boolean[] (false: no history row), $7 crashed boolean[] (its process died: that is no failure),
--         $8 worker int, $9 claims bigint[] that this closes
-- returns: the ids that were ended. A missing one was ended before or has moved on: nothing was written for it.
-- fence: id, run, state > 0
-- index: job_pkey, checkpoint_pkey, request_pkey
with found as materialized (
  select k.run, k.state, k.result, k.error, k.keep, k.crashed, j.tid
  from unnest($1::uuid[], $2::int[], $3::smallint[], $4::text[], $5::text[], $6::boolean[], $7::boolean[])
    as k(id, run, state, result, error, keep, crashed)
  cross join lateral (select ctid as tid from :schema.job where id = k.id limit 1) as j
), ended as (
  delete from :schema.job j
  using found k
  where j.ctid = k.tid and j.run = k.run and j.state > 0
  returning j.id, j.created_at, j.started_at, j.run, j.worker, j.interruptions, j.losses, j.failures, j.crashes, k.state, j.priority,
    j.state = 2 as once, j.version, j.queue, j.task, j.input, k.result::json as result, k.error::json as error, k.keep, k.crashed
), progress as (
  delete from :schema.checkpoint c using ended where c.id = ended.id
  returning c.id, c.items, c.total, c.cursor
), requests as (
  delete from :schema.request r using ended where r.id = ended.id
), closed as (
  delete from :schema.ledger where worker = $8 and claim = any($9::bigint[])
), told as (
  insert into :schema.trail (job, run, worker, outcome, error, items, started_at)
  select e.id, e.run, e.worker,
    case when e.crashed then 'crashed' else case e.state when 21 then 'failed' when 22 then 'cancelled' when 23 then 'expired' when 24 then 'lost' else 'interrupted' end end,
    e.error, p.items, e.started_at
  from ended e left join progress p on p.id = e.id
  where e.state <> 20
), kept as (
  insert into :schema.history (id, created_at, started_at, run, worker, interruptions, losses, failures, crashes, state, priority, version,
    at_most_once, queue, task, input, result, error, items, total, cursor)
  select e.id, e.created_at, e.started_at, e.run, e.worker, e.interruptions + (e.state = 25)::int, e.losses + (e.state = 24)::int,
    e.failures + (e.state = 21 and not e.crashed)::int, least(e.crashes + e.crashed::int, 32767), e.state, e.priority, e.version, e.once, e.queue, e.task, e.input, e.result, e.error,
    p.items, p.total, p.cursor
  from ended e left join progress p on p.id = e.id
  where e.keep
)
select id from ended
