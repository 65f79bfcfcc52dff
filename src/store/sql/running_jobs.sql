-- What these workers run now.
-- params: $1 workers int[]
-- returns: worker, id, run, task, queue, age_ms (since it was claimed)
-- index: ledger_pkey, job_pkey: by the ledger, as in release.sql
select j.worker, j.id, j.run, j.task, j.queue, extract(epoch from clock_timestamp() - j.started_at)::float8 * 1000 as age_ms
from unnest($1::int[]) as w(key)
cross join lateral (select l.ids, l.runs from :schema.ledger l where l.worker = w.key offset 0) l
cross join lateral unnest(l.ids, l.runs) as k(id, run)
cross join lateral (select * from :schema.job where id = k.id limit 1) as j
where j.run = k.run and j.state > 0 and j.worker = w.key
order by j.started_at
