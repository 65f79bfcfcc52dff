-- The live workers that a deploy holds, or, before there is one, those that it would hold.
-- params: $1 deploy int or null; for null: $2 apps text[], $3 queues text[], $4 workers text[] (null: all), $5 build text of the new code or null
-- returns: key, name, app, build, queues, heard (it has answered), heard_ms (after the deploy began), silent_ms (since its last sign of life)
-- index: worker_alive, deploy_pkey; the lease table is small
select w.key, w.name, w.app, w.build, w.queues, w.heard is not distinct from $1::int as heard,
  extract(epoch from w.heard_at - d.started_at)::float8 * 1000 as heard_ms,
  extract(epoch from clock_timestamp() - l.renewed_at)::float8 * 1000 as silent_ms
from :schema.worker w
left join :schema.deploy d on d.number = $1
left join :schema.lease l on l.worker = w.key
where w.alive
  and case when $1::int is not null then w.deploy = $1
    else ($2::text[] is null or w.app = any($2)) and ($3::text[] is null or w.queues && $3) and ($4::text[] is null or w.name like any($4))
      and w.build is distinct from $5 end
order by w.key
