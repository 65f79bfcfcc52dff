-- Gives running jobs back, claimable at once, in the front lane: hand-offs, yields, claims that came too late, runs whose process died. A run
-- that moved its job's cursor on clears the crashes of the runs before it.
-- params: $1 ids uuid[], $2 runs int[], $3 interruptions to add int[], $4 reasons text[] (null: not worth a line in the trail),
--         $5 crashes to add int[] (empty: none), $6 errors json[] (as text; empty: none): what their processes died of, $7 worker int,
--         $8 claims bigint[] that this closes
-- returns: id, queue, task of what was given back; interruptions, fruitless: how many of them since its cursor last moved on,
--          resumes: whether it has a cursor to go on from
-- fence: id, run, state = 1
-- index: job_pkey, checkpoint_pkey
with found as materialized (
  select k.run, k.interrupted, k.reason, k.crashed, k.error, j.tid, c.items, c.moved, c.interruptions
  from unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::int[], $6::text[]) as k(id, run, interrupted, reason, crashed, error)
  cross join lateral (select ctid as tid from :schema.job where id = k.id limit 1) as j
  left join lateral (select items, moved, interruptions from :schema.checkpoint where id = k.id limit 1) as c on true
), moved as (
  update :schema.job j
  set state = 0, lane = 0, position = nextval(':schema.position'), worker = null, interruptions = j.interruptions + k.interrupted,
    crashes = least(case when k.moved = j.run then 0 else j.crashes end + coalesce(k.crashed, 0), 32767)
  from found k
  where j.ctid = k.tid and j.run = k.run and j.state = 1
  returning j.id, j.run, j.queue, j.task, j.started_at, j.interruptions, k.reason, k.interrupted, k.crashed, k.error, k.items,
    j.interruptions - coalesce(k.interruptions, 0) as fruitless, coalesce(k.moved, 0) > 0 as resumes
), closed as (
  delete from :schema.ledger where worker = $7 and claim = any($8::bigint[])
), told as (
  insert into :schema.trail (job, run, worker, outcome, reason, error, items, started_at)
  select id, run, $7, case when crashed > 0 then 'crashed' when interrupted > 0 then 'interrupted' else 'yielded' end, reason, error::json,
    items, started_at
  from moved where reason is not null
)
select id, queue, task, interruptions, fruitless, resumes from moved
