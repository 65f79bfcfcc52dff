-- Ready jobs that no live worker takes, among the first of each band: what nobody takes gathers at the front, for the rest is claimed. Of all
-- live workers the oldest asks; the others get no answer.
-- params: $1 worker int that asks, $2 most int, ready jobs that are looked at in each band
-- returns: one row if this worker is the one to ask: found json: queue, task, version, jobs, ms since they were enqueued or last claimed at
--          most, served (some live worker serves the queue), known (one of these has the task, in another version)
-- index: job_ready, one probe for each queue there is and for each of its bands
with recursive live as materialized (
  select w.key, w.queues, w.tasks
  from :schema.lease l join :schema.worker w on w.key = l.worker
  where w.alive and l.expires_at > clock_timestamp()
), asking as materialized (
  select 1 where $1 = (select min(key) from live)
), known(queue) as (
  (select j.queue from asking cross join lateral (select queue from :schema.job order by queue limit 1) as j)
  union all
  select (select j.queue from :schema.job j where j.queue > known.queue order by j.queue limit 1) from known where known.queue is not null
), front as (
  select known.queue, j.task, j.version, count(*)::int as jobs, min(j.since) as since
  from known
  cross join generate_series(0, 1) as lanes(lane)
  cross join generate_series(0, 9) as priorities(priority)
  cross join lateral (
    select r.task, r.version, coalesce(r.started_at, r.created_at) as since
    from :schema.job r
    where r.queue = known.queue and r.lane = lanes.lane and r.priority = priorities.priority and r.state = 0
      and r.lane between lanes.lane and lanes.lane and r.priority between priorities.priority and priorities.priority
    order by r.position
    limit $2
  ) as j
  where known.queue is not null
  group by known.queue, j.task, j.version
), unserved as (
  select f.queue, f.task, f.version, f.jobs, extract(epoch from clock_timestamp() - f.since)::float8 * 1000 as ms,
    exists (select from live l where f.queue = any(l.queues)) as served,
    exists (select from live l, unnest(l.tasks) as takes(key) where f.queue = any(l.queues) and split_part(takes.key, '@', 1) = f.task) as known
  from front f
  where not exists (
    select from live l
    where f.queue = any(l.queues) and case when f.version = 1 then f.task else f.task || '@' || f.version end = any(l.tasks)
  )
  order by f.jobs desc
  limit 20
)
select (select coalesce(json_agg(u), '[]') from unserved u)::text as found from asking
