-- Pauses a job until a time: what is ready or waiting rests at once; a running one is asked to stop at its next checkpoint.
-- params: $1 id uuid, $2 reason text, $3 owner text, $4 ms float8 from now, when it resumes by itself
-- returns: was: 'ready', 'waiting' or 'running'; no row: ended, unknown, or moved this instant: ask again
-- index: job_pkey, waiting_pkey
with until as (
  select clock_timestamp() + $4::float8 * interval '1 ms' as at
), ready as (
  delete from :schema.job j where j.id = $1 and j.state = 0 returning j.*
), rested as (
  insert into :schema.waiting (id, due_at, created_at, expires_at, run, interruptions, losses, failures, crashes, state, priority, version,
    queue, task, input, reason)
  select id, until.at, created_at, expires_at, run, interruptions, losses, failures, crashes, 13, priority, version, queue, task, input,
    $3 || ': ' || $2
  from ready, until
  returning id
), waiting as (
  update :schema.waiting w set state = 13, due_at = until.at, reason = $3 || ': ' || $2
  from until where w.id = $1
  returning w.id
), asked as (
  insert into :schema.request (id, action, reason, owner, until)
  select id, 'pause', $3 || ': ' || $2, $3, until.at from :schema.job, until where id = $1 and state > 0
  on conflict (id) do update set action = excluded.action, reason = excluded.reason, owner = excluded.owner, until = excluded.until
  where request.action = 'pause'
  returning id
)
select 'ready' as was from rested
union all
select 'waiting' from waiting
union all
select 'running' from asked
