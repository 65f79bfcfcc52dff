-- How long runs of a task usually take, by the latest of those that completed in the last days.
-- params: $1 task text, $2 days int, $3 most int, runs
-- returns: p50_ms, p95_ms; no row: no run of it completed
-- index: none by task: reads the history's days, the newest first, until it has seen enough; for people, under a limit of time
select s.p50_ms, s.p95_ms
from (
  select percentile_cont(0.5) within group (order by ms) as p50_ms, percentile_cont(0.95) within group (order by ms) as p95_ms
  from (
    select h.ms
    from generate_series(0, $2::int - 1) as d(back)
    cross join lateral (select (date_trunc('day', now() at time zone 'UTC') - d.back * interval '1 day') at time zone 'UTC' as begins) as day
    cross join lateral (
      select extract(epoch from h.ended_at - h.started_at)::float8 * 1000 as ms
      from :schema.history h
      where h.task = $1 and h.state = 20 and h.started_at is not null and h.ended_at >= day.begins and h.ended_at < day.begins + interval '1 day'
      -- Of each day by itself, in turn: without it the planner is free to read them all first.
      offset 0
    ) as h
    limit $3
  ) as seen
) as s
where s.p50_ms is not null
