-- Resumes a paused job, or takes back a pause that its run has not seen yet.
-- params: $1 id uuid
-- returns: queue (null: the pause was taken back before the run saw it); no row: it is not paused
-- index: waiting_pkey, request_pkey
with moved as (
  delete from :schema.waiting w where w.id = $1 and w.state = 13 returning w.*
), ready as (
  insert into :schema.job (id, created_at, expires_at, run, interruptions, losses, failures, crashes, lane, priority, version, queue, task, input)
  select id, created_at, expires_at, run, interruptions, losses, failures, crashes, 0, priority, version, queue, task, input
  from moved
  returning queue
), withdrawn as (
  delete from :schema.request where id = $1 and action = 'pause' returning id
)
select queue from ready
union all
select null from withdrawn
