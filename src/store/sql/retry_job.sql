-- Runs an ended job again, by hand: it comes back from the history with its progress and fresh counters. A retry or snooze that waits is
-- made ready at once; a parked job is trusted again: its crashes are forgotten. An at-most-once job is never started twice: its retry is a new job.
-- params: $1 id uuid, $2 new id uuid for a job that may not start twice
-- returns: id, queue of the job that is ready now; no row: nothing to retry (unknown, running, ready, or completed)
-- index: history_id (BRIN), waiting_pkey, request_pkey
with ended as (
  delete from :schema.history h where h.id = $1 and h.state > 20 returning h.*
), again as (
  insert into :schema.job (id, created_at, run, lane, priority, version, queue, task, input)
  select case when at_most_once then $2::uuid else id end, case when at_most_once then clock_timestamp() else created_at end,
    case when at_most_once then 0 else run end, 0, priority, version, queue, task, input
  from ended
  returning id, queue
), progress as (
  insert into :schema.checkpoint (id, run, items, total, cursor, moved)
  select id, run, items, total, cursor, case when cursor::text <> 'null' then run else 0 end
  from ended where items is not null and not at_most_once
), forgotten as (
  -- Asked in the instant in which the job ended: it was not meant for what comes now.
  delete from :schema.request r using ended where r.id = ended.id
), kept as (
  insert into :schema.history select * from ended where at_most_once
), due as (
  delete from :schema.waiting w where w.id = $1 and w.state in (10, 11, 12, 14) returning w.*
), ready as (
  insert into :schema.job (id, created_at, expires_at, run, interruptions, losses, failures, crashes, lane, priority, version, queue, task, input)
  select id, created_at, expires_at, run, interruptions, losses, failures, case when state = 14 then 0 else crashes end, 0, priority, version,
    queue, task, input
  from due
  returning id, queue
)
select id, queue from again
union all
select id, queue from ready
