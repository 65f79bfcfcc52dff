-- Which builds are alive, and what they run. A worker that was revoked counts while jobs of it are not released.
-- params: $1 apps text[], $2 queues text[], $3 workers text[] (null: all)
-- returns: build, workers, running, oldest (the name of the worker that has lived longest)
-- index: ledger_pkey, job_pkey; the lease table has a row for each of these workers: small
select w.build, count(*)::int as workers, sum(r.running)::int as running, (array_agg(w.name order by w.key))[1] as oldest
from :schema.worker w
cross join lateral (
  select count(*) as running
  from :schema.ledger l
  cross join unnest(l.ids, l.runs) as k(id, run)
  cross join lateral (select * from :schema.job where id = k.id limit 1) as j
  where l.worker = w.key and j.run = k.run and j.state > 0 and j.worker = w.key
) as r
where (w.alive or w.key = any(array(select worker from :schema.lease))) and ($1::text[] is null or w.app = any($1)) and ($2::text[] is null or w.queues && $2) and ($3::text[] is null or w.name like any($3))
group by w.build
order by min(w.key)
