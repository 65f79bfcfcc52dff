-- Cancels jobs: what is ready or waiting ends at once; of what runs, the run is asked to stop.
-- params: $1 ids uuid[], $2 reason text, $3 owner text
-- returns: id, was: 'ready', 'waiting' (ended now) or 'running' (asked). A missing one has ended, is unknown, or moved this instant: ask again.
-- index: job_pkey, waiting_pkey, checkpoint_pkey, request_pkey
with ready as (
  delete from :schema.job j where j.id = any($1::uuid[]) and j.state = 0 returning j.*
), waiting as (
  delete from :schema.waiting w where w.id = any($1::uuid[]) returning w.*
), asked as (
  insert into :schema.request (id, action, reason, owner)
  select id, 'cancel', $2, $3 from :schema.job where id = any($1::uuid[]) and state > 0
  on conflict (id) do update set action = 'cancel', reason = excluded.reason, owner = excluded.owner, until = null
  returning id
), progress as (
  delete from :schema.checkpoint c where c.id in (select id from ready union all select id from waiting)
  returning c.id, c.items, c.total, c.cursor
), stopped as (
  select id, created_at, null::timestamptz as started_at, run, interruptions, losses, failures, crashes, priority, version, queue, task, input
  from ready
  union all
  select id, created_at, null, run, interruptions, losses, failures, crashes, priority, version, queue, task, input from waiting
), answered as (
  -- What was asked of an earlier run must not meet this id again when it is retried by hand.
  delete from :schema.request r using stopped where r.id = stopped.id
), told as (
  insert into :schema.trail (job, run, outcome, reason) select id, run, 'cancelled', $2 from stopped
), kept as (
  insert into :schema.history (id, created_at, started_at, run, interruptions, losses, failures, crashes, state, priority, version,
    queue, task, input, items, total, cursor)
  select s.id, s.created_at, s.started_at, s.run, s.interruptions, s.losses, s.failures, s.crashes, 22, s.priority, s.version,
    s.queue, s.task, s.input, p.items, p.total, p.cursor
  from stopped s left join progress p on p.id = s.id
)
select id, 'ready' as was from ready
union all
select id, 'waiting' from waiting
union all
select id, 'running' from asked
