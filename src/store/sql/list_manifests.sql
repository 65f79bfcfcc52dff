-- What live workers say of their code, each manifest once for each build and set of queues. For people: reads only.
-- returns: build, queues, manifest as text, names of the workers that registered it, the oldest first
-- index: the lease table has a row a live worker: small; worker_pkey
select w.build, w.queues, w.manifest::text as manifest, array_agg(w.name order by w.key) as names
from :schema.lease l
join :schema.worker w on w.key = l.worker
where w.alive and l.expires_at > clock_timestamp()
group by w.build, w.queues, w.manifest::text
order by min(w.key)
