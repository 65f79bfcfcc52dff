-- Ready jobs that no live worker would take: none serves their queue and takes their task in their version. For people: reads only.
-- params: $1 most int, ready jobs that are looked at
-- returns: queue, task, version, jobs, served (some live worker serves the queue), known (one of these has the task, in another version)
with found as (
  select queue, task, version, count(*)::int as jobs
  from (select queue, task, version from :schema.job where state = 0 limit $1) as bounded
  group by queue, task, version
), live as (
  select w.queues, w.tasks from :schema.lease l join :schema.worker w on w.key = l.worker where w.alive and l.expires_at > clock_timestamp()
)
select f.queue, f.task, f.version, f.jobs,
  exists (select from live where f.queue = any(live.queues)) as served,
  exists (select from live, unnest(live.tasks) as takes(key) where f.queue = any(live.queues) and split_part(takes.key, '@', 1) = f.task) as known
from found f
where not exists (
  select from live
  where f.queue = any(live.queues) and case when f.version = 1 then f.task else f.task || '@' || f.version end = any(live.tasks)
)
order by f.jobs desc
limit 20
