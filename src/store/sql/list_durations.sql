-- How long runs of these tasks usually take, by those that completed in the last days.
-- params: $1 tasks text[], $2 days int, $3 most int of each task
-- returns: task, runs, p50_ms, p95_ms
-- index: none by task: reads partitions of the history until it has seen enough; for people, under a limit of time
select t.task, s.runs::int as runs, s.p50_ms, s.p95_ms
from unnest($1::text[]) as t(task)
cross join lateral (
  select count(*) as runs,
    percentile_cont(0.5) within group (order by ms) as p50_ms, percentile_cont(0.95) within group (order by ms) as p95_ms
  from (
    select extract(epoch from h.ended_at - h.started_at)::float8 * 1000 as ms
    from :schema.history h
    where h.task = t.task and h.state = 20 and h.started_at is not null and h.ended_at > clock_timestamp() - $2::int * interval '1 day'
    limit $3
  ) as seen
) as s
where s.runs > 0
