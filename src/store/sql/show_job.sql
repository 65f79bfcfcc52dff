-- Everything that is known of one job, wherever it is. For people: reads only.
-- params: $1 id uuid
-- returns: one row, or none: its columns (crashes: those since its cursor last moved on); input, result, error and cursor as text; its
--          saved progress; its worker and whether that one is alive; what people asked of it; fruitless: its interruptions since its
--          cursor last moved on; resumes: whether it has one to go on from; its place among the parts of an iteration; and the
--          database's time, now
-- index: job_pkey, waiting_pkey, history_id (BRIN), checkpoint_pkey, request_pkey, part_job
with found as (
  select id, state, queue, task, version, priority, run, worker, failures, interruptions, losses, crashes, created_at, started_at,
    null::timestamptz as due_at, null::timestamptz as ended_at, expires_at, false as at_most_once, input, null::json as result, null::json as error,
    null as reason, null::bigint as items, null::bigint as total, null::json as cursor
  from :schema.job where id = $1
  union all
  select id, state, queue, task, version, priority, run, null, failures, interruptions, losses, crashes, created_at, null,
    due_at, null, expires_at, false, input, null, null, reason, null, null, null
  from :schema.waiting where id = $1
  union all
  select id, state, queue, task, version, priority, run, worker, failures, interruptions, losses, crashes, created_at, started_at,
    null, ended_at, null, at_most_once, input, result, error, null, items, total, cursor
  from :schema.history where id = $1
)
select f.id, f.state, f.queue, f.task, f.version, f.priority, f.run, f.failures, f.interruptions, f.losses,
  case when f.state in (1, 2) and c.moved = f.run then 0 else f.crashes end as crashes, f.created_at, f.started_at,
  f.due_at, f.ended_at, f.expires_at, f.at_most_once, f.input::text as input, f.result::text as result, f.error::text as error, f.reason,
  coalesce(c.items, f.items) as items, coalesce(c.total, f.total) as total, coalesce(c.cursor, f.cursor)::text as cursor, c.rate, c.updated_at as saved_at,
  f.worker as worker_key, w.name as worker, w.build, w.alive, r.action, r.reason as asked_because, r.owner as asked_by, r.until,
  f.interruptions - coalesce(c.interruptions, 0) as fruitless, coalesce(c.moved, 0) > 0 as resumes, p.root, p.part, p.parts, clock_timestamp() as now
from found f
left join :schema.checkpoint c on c.id = f.id
left join :schema.worker w on w.key = f.worker
left join :schema.request r on r.id = f.id
left join :schema.part p on p.job = f.id
