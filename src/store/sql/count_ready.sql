-- What is ready in each queue, counted up to a bound. For people: reads only.
-- params: $1 queues text[] that are to be listed even when they are empty, $2 most int
-- returns: a row a queue: queue, ready (at most $2), oldest_ms: how long the first in line of any priority have been waiting at most, since
--          they were enqueued or last claimed (null: none)
-- index: job_ready, one probe for each queue there is and for each of its bands
with recursive known(queue) as (
  (select j.queue from :schema.job j order by j.queue limit 1)
  union all
  select (select j.queue from :schema.job j where j.queue > known.queue order by j.queue limit 1) from known where known.queue is not null
), listed as (
  select queue from known where queue is not null
  union
  select unnest($1::text[]) collate "C"
)
select l.queue, counted.ready::int as ready, extract(epoch from clock_timestamp() - first.since)::float8 * 1000 as oldest_ms
from listed l
cross join lateral (
  select count(*) as ready
  from (
    -- The order is the index's: without it, an empty queue would be looked for among all rows.
    select from :schema.job j where j.queue = l.queue and j.state = 0 order by j.lane, j.priority, j.position limit $2
  ) as bounded
) as counted
cross join lateral (
  select min(f.since) as since
  from generate_series(0, 1) as lanes(lane)
  cross join generate_series(0, 9) as priorities(priority)
  cross join lateral (
    select coalesce(j.started_at, j.created_at) as since
    from :schema.job j
    where j.queue = l.queue and j.lane = lanes.lane and j.priority = priorities.priority and j.state = 0
    order by j.position
    limit 1
  ) as f
) as first
order by l.queue
