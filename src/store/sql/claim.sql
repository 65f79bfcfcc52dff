-- Takes up to $5 ready jobs of one queue for a worker, in order (lane, priority, position), and notes them in the ledger.
-- params: $1 worker int, $2 claim bigint (numbered by the worker), $3 queue text, $4 tasks text[] that it takes: `name` for inputs of version 1,
--         `name@2` for others, $5 most int,
--         bands in the order to look in: $6 lanes smallint[], $7 priorities smallint[], $8 low-water marks bigint[], $9 most of each int[]
-- returns: a row a job: id, run (the fence), tid (where its row lies now), task, input as text, position, more: json, null for most: a job of the
--          main lane, priority 5 and version 1 that was never stopped and cannot expire. Each column costs, here and in the worker.
-- invariants: none unless the worker is alive and claiming, a fact at commit: the FOR SHARE makes a revocation wait for this statement.
--             run rises by one. The update touches no indexed column (HOT).
-- index: job_ready, one probe a band. The update finds the rows by ctid: they are locked, so they cannot have moved (12 % less work).
with allowed as materialized (
  select key from :schema.worker where key = $1 and alive and claiming for share
), picked as materialized (
  select found.tid
  from allowed
  cross join unnest($6::smallint[], $7::smallint[], $8::bigint[], $9::int[]) as band(lane, priority, mark, most)
  cross join lateral (
    select j.ctid as tid from :schema.job j
    where j.queue = $3 and j.lane = band.lane and j.priority = band.priority and j.position > band.mark
      and j.lane between band.lane and band.lane and j.priority between band.priority and band.priority
      and j.state = 0 and case when j.version = 1 then j.task else j.task || '@' || j.version end = any($4::text[])
    order by j.position
    limit band.most
    for update skip locked
  ) as found
  limit $5
), claimed as (
  update :schema.job j
  set state = 1, run = j.run + 1, worker = $1, started_at = clock_timestamp()
  from picked where j.ctid = picked.tid
  returning j.id, j.run, j.ctid as tid, j.task, j.input::text as input, j.position,
    case when j.failures > 0 or j.interruptions > 0 or j.crashes > 0 or j.losses > 0 or j.lane <> 1 or j.priority <> 5 or j.version <> 1
      or j.expires_at is not null then json_build_object(
      'lane', j.lane, 'priority', j.priority, 'version', j.version, 'failures', j.failures, 'interruptions', j.interruptions,
      'crashes', j.crashes, 'losses', j.losses, 'expired', coalesce(j.expires_at <= clock_timestamp(), false)) end as more
), noted as (
  insert into :schema.ledger (worker, claim, ids, runs)
  select $1, $2, array_agg(id), array_agg(run) from claimed having count(*) > 0
)
select id, run, tid, task, input, position, more from claimed
