-- Jobs that have not ended, newest first (ids grow with time). For people: reads only.
-- params: $1 before uuid (null: from the newest), $2 states smallint[] (null: all), $3 task text (null: all), $4 queue text (null: all), $5 most int
-- returns: a row a job: id, state, queue, task, version, priority, run, failures, interruptions, losses, crashes, created_at, started_at, due_at, reason,
--          worker's name, items, total, rate
-- index: job_pkey and waiting_pkey, backwards; it stops after $5 that fit
with found as (
  (
    select j.id, j.state, j.queue, j.task, j.version, j.priority, j.run, j.failures, j.interruptions, j.losses, j.crashes, j.created_at,
      case when j.state > 0 then j.started_at end as started_at, null::timestamptz as due_at, null as reason,
      case when j.state > 0 then j.worker end as worker
    from :schema.job j
    where ($1::uuid is null or j.id < $1) and ($2::smallint[] is null or j.state = any($2))
      and ($3::text is null or j.task = $3) and ($4::text is null or j.queue = $4)
    order by j.id desc
    limit $5
  )
  union all
  (
    select w.id, w.state, w.queue, w.task, w.version, w.priority, w.run, w.failures, w.interruptions, w.losses, w.crashes, w.created_at,
      null, w.due_at, w.reason, null
    from :schema.waiting w
    where ($1::uuid is null or w.id < $1) and ($2::smallint[] is null or w.state = any($2))
      and ($3::text is null or w.task = $3) and ($4::text is null or w.queue = $4)
    order by w.id desc
    limit $5
  )
), newest as (
  select * from found order by id desc limit $5
)
select n.id, n.state, n.queue, n.task, n.version, n.priority, n.run, n.failures, n.interruptions, n.losses, n.crashes, n.created_at, n.started_at, n.due_at,
  n.reason, w.name as worker, c.items, c.total, c.rate
from newest n
left join :schema.worker w on w.key = n.worker
left join :schema.checkpoint c on c.id = n.id
order by n.id desc
