-- The runs of a job that did not complete it: its story, the newest first. For people: reads only.
-- params: $1 id uuid, $2 most int
-- returns: run, outcome, reason, error as text, items, started_at, ended_at, worker_key, worker (its name; null when it was forgotten), build
-- index: trail_job in every partition, worker_pkey
select t.run, t.outcome, t.reason, t.error::text as error, t.items, t.started_at, t.ended_at, t.worker as worker_key, w.name as worker, w.build
from :schema.trail t
left join :schema.worker w on w.key = t.worker
where t.job = $1
order by t.ended_at desc, t.run desc
limit $2
