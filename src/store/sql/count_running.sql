-- What runs, by queue. Read from the ledger, since nothing that changes per run is indexed on `job`. For people: reads only.
-- returns: queue, running
-- index: the ledger has a row a claim: small; job_pkey
select j.queue, count(*)::int as running
from :schema.ledger l
cross join unnest(l.ids, l.runs) as k(id, run)
cross join lateral (select * from :schema.job where id = k.id limit 1) as j
where j.run = k.run and j.state > 0
group by j.queue
