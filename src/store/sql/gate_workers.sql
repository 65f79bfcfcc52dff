-- The live workers that a deploy holds.
-- params: $1 deploy int
-- returns: key, name, app, build, queues, started_at, heard (it has answered), heard_ms (after the deploy began), left_ms (of its lease), silent_ms (since its last sign of life), manifest as text
-- index: worker_alive, deploy_pkey; the lease table is small
select w.key, w.name, w.app, w.build, w.queues, w.started_at, w.heard is not distinct from $1::int as heard,
  extract(epoch from w.heard_at - d.started_at)::float8 * 1000 as heard_ms,
  extract(epoch from l.expires_at - clock_timestamp())::float8 * 1000 as left_ms,
  extract(epoch from clock_timestamp() - l.renewed_at)::float8 * 1000 as silent_ms
from :schema.worker w
join :schema.deploy d on d.number = $1
left join :schema.lease l on l.worker = w.key
where w.alive and w.deploy = $1
order by w.key
