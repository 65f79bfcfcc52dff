-- Ready jobs that no live worker would take: none serves their queue and knows their task. For people: reads only.
-- params: $1 most int, ready jobs that are looked at
-- returns: queue, task, jobs, served (some live worker serves the queue, so that it is the task that is unknown)
with found as (
  select queue, task, count(*)::int as jobs from (select queue, task from :schema.job where state = 0 limit $1) as bounded group by queue, task
), live as (
  select w.queues, w.tasks from :schema.lease l join :schema.worker w on w.key = l.worker where w.alive and l.expires_at > clock_timestamp()
)
select f.queue, f.task, f.jobs, exists (select from live where f.queue = any(live.queues)) as served
from found f
where not exists (select from live where f.queue = any(live.queues) and f.task = any(live.tasks))
order by f.jobs desc
limit 20
