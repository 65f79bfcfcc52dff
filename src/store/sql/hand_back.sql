-- Gives running jobs back, claimable at once, in the front lane: hand-offs, yields, claims that came too late.
-- params: $1 ids uuid[], $2 runs int[], $3 interruptions to add int[], $4 reasons text[] (null: not worth a line in the trail),
--         $5 worker int, $6 claims bigint[] that this closes
-- returns: id, queue of what was given back
-- fence: id, run, state = 1
with found as materialized (
  select k.run, k.interrupted, k.reason, j.tid
  from unnest($1::uuid[], $2::int[], $3::int[], $4::text[]) as k(id, run, interrupted, reason)
  cross join lateral (select ctid as tid from :schema.job where id = k.id limit 1) as j
), moved as (
  update :schema.job j
  set state = 0, lane = 0, position = nextval(':schema.position'), worker = null, interruptions = j.interruptions + k.interrupted
  from found k
  where j.ctid = k.tid and j.run = k.run and j.state = 1
  returning j.id, j.run, j.queue, j.started_at, k.reason, k.interrupted
), closed as (
  delete from :schema.ledger where worker = $5 and claim = any($6::bigint[])
), told as (
  insert into :schema.trail (job, run, worker, outcome, reason, started_at)
  select id, run, $5, case when interrupted > 0 then 'interrupted' else 'yielded' end, reason, started_at
  from moved where reason is not null
)
select id, queue from moved
