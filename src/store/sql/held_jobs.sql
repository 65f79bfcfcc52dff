-- Which jobs a worker holds, those of at-most-once tasks that have been started included: for the thread that watches over its limits.
-- params: $1 worker int
-- returns: id, run, task, failures, crashes
-- index: ledger_pkey, job_pkey
select j.id, j.run, j.task, j.failures, j.crashes
from :schema.ledger l
cross join unnest(l.ids, l.runs) as k(id, run)
cross join lateral (select * from :schema.job where id = k.id limit 1) as j
where l.worker = $1 and j.run = k.run and j.state > 0 and j.worker = $1
