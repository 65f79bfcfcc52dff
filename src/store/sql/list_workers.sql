-- Workers that are alive, or that still hold a lease. For people: reads only.
-- returns: key, name, build, release, tasks, queues, started_at, alive, claiming,
--          left_ms: what is left of its lease (negative: it has run out), renewed_ms ago, now
-- index: the lease table has a row a live worker: small; worker_pkey
select w.key, w.name, w.build, w.release, w.tasks, w.queues, w.started_at, w.alive, w.claiming,
  extract(epoch from l.expires_at - clock_timestamp())::float8 * 1000 as left_ms,
  extract(epoch from clock_timestamp() - l.renewed_at)::float8 * 1000 as renewed_ms,
  clock_timestamp() as now
from :schema.lease l
join :schema.worker w on w.key = l.worker
order by w.key
