-- Ends jobs that completed, have no saved progress, and lie where their claim put them: the hot path, finish.sql cut to what such jobs need.
-- params: $1 ids uuid[], $2 runs int[], $3 tids tid[]: where the claim put their rows, $4 results json[] (as text; empty: none),
--         $5 keep boolean (false: no history rows), $6 worker int, $7 claims bigint[] that this closes, if it ended all of them
-- returns: the ids that were not ended: they have moved (finish.sql finds them by their ids), had been ended before, or are somebody else's
-- fence: id, run, state = 1 (a start on record has moved the row). A place alone says nothing: another job may lie there by now.
-- index: none, it goes to the rows themselves: 500 descents of the primary key were a quarter of the statement. `k.run between k.run and k.run`
--        changes nothing but the estimate: of few rows, going to each is cheaper than reading the table, however small it was when the plan was made.
with ended as (
  delete from :schema.job j
  using unnest($1::uuid[], $2::int[], $3::tid[], $4::text[]) as k(id, run, tid, result)
  where j.ctid = k.tid and j.id = k.id and j.run = k.run and j.state = 1 and k.run between k.run and k.run
  returning j.id, j.created_at, j.started_at, j.run, j.worker, j.interruptions, j.losses, j.failures, j.crashes, j.priority,
    j.version, j.queue, j.task, j.input, k.result::json as result
), closed as (
  delete from :schema.ledger where worker = $6 and claim = any($7::bigint[]) and (select count(*) from ended) = cardinality($1::uuid[])
), kept as (
  insert into :schema.history (id, created_at, started_at, run, worker, interruptions, losses, failures, crashes, state, priority, version,
    queue, task, input, result)
  select id, created_at, started_at, run, worker, interruptions, losses, failures, crashes, 20, priority, version, queue, task, input, result
  from ended
  where $5::boolean
)
select id from unnest($1::uuid[]) as k(id)
where (select count(*) from ended) < cardinality($1::uuid[]) and not exists (select from ended e where e.id = k.id)
