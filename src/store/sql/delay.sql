-- Puts running jobs away until a time: a retry with its delay, a snooze, a pause, a parked job. A run that moved its job's cursor on clears
-- the crashes of the runs before it.
-- params: $1 ids uuid[], $2 runs int[], $3 states smallint[] (11 retrying, 12 snoozed, 13 paused, 14 parked), $4 delays, ms float8[],
--         $5 due timestamptz[] (used where the delay is null), $6 failures to add smallint[], $7 reasons text[], $8 errors json[] (as text),
--         $9 crashes to add smallint[] (empty: none), $10 worker int, $11 claims bigint[] that this closes. A pause whose request is gone, or
--         became one to cancel, before the run came to its end is over at once; and so is the wait of a job that was to be parked for a
--         crash, though its run got it further: it goes on from there.
-- returns: the ids that were put away
-- fence: id, run, state = 1 (an at-most-once job that has started is never given back)
with found as materialized (
  select k.run, k.state, k.delay, k.due, k.failed, k.reason, k.error, k.crashed, j.tid, c.items, c.moved
  from unnest($1::uuid[], $2::int[], $3::smallint[], $4::float8[], $5::timestamptz[], $6::smallint[], $7::text[], $8::text[], $9::smallint[])
    as k(id, run, state, delay, due, failed, reason, error, crashed)
  cross join lateral (select ctid as tid from :schema.job where id = k.id limit 1) as j
  left join lateral (select items, moved from :schema.checkpoint where id = k.id limit 1) as c on true
), moved as (
  delete from :schema.job j
  using found k
  where j.ctid = k.tid and j.run = k.run and j.state = 1
  returning j.*, case when k.state = 14 and k.crashed > 0 and k.moved = j.run then 12 else k.state end as next, k.delay, k.due, k.failed,
    k.reason, k.error, k.items, k.crashed > 0 as died,
    case when k.moved = j.run then 0 else j.crashes end + coalesce(k.crashed, 0) as crashed
), closed as (
  delete from :schema.ledger where worker = $10 and claim = any($11::bigint[])
), answered as (
  delete from :schema.request r using moved where moved.next = 13 and r.id = moved.id and r.action = 'pause' returning r.id
), told as (
  insert into :schema.trail (job, run, worker, outcome, reason, error, items, started_at)
  select id, run, worker,
    case when next = 12 and died then 'crashed' when next = 11 then 'failed' when next = 12 then 'snoozed' when next = 13 then 'paused'
      else 'parked' end,
    reason, error::json, items, started_at
  from moved
)
insert into :schema.waiting (id, due_at, created_at, expires_at, run, interruptions, losses, failures, crashes, state, priority, version,
  queue, task, input, reason)
select id,
  case when next = 13 and id not in (select id from answered) or next = 12 and died then clock_timestamp()
    else coalesce(clock_timestamp() + delay * interval '1 ms', greatest(due, clock_timestamp())) end,
  created_at, expires_at, run, interruptions, losses, failures + failed, crashed, next, priority, version, queue, task, input, reason
from moved
returning id
