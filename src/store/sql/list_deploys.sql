-- Deploys, the newest first. For people: reads only.
-- params: $1 number int or null (all), $2 only those that hold something now boolean, $3 most int
-- returns: number, state ('expired' as soon as its time is over), owner, reason, build, token, apps, queues, workers, require, started_at, passed_at, migrating_at, ended_at, expires_at, left_ms (of its hold), heard_ms, why, report as text, held (workers)
-- index: deploy_pkey, worker_alive
select d.number, case when e.number is null then d.state else 'expired' end as state, d.owner, d.reason, d.build, d.token,
  d.apps, d.queues, d.workers, d.require, d.started_at, d.passed_at, d.migrating_at, coalesce(d.ended_at, e.expires_at) as ended_at, d.expires_at,
  extract(epoch from d.expires_at - clock_timestamp())::float8 * 1000 as left_ms, d.heard_ms, coalesce(d.why, e.why) as why,
  d.report::text as report, (select count(*) from :schema.worker w where w.alive and w.deploy = d.number)::int as held
from :schema.deploy d
left join :schema.expired_deploy e on e.number = d.number
where ($1::int is null or d.number = $1) and (not $2::boolean or d.ended_at is null and e.number is null)
order by d.number desc
limit $3
