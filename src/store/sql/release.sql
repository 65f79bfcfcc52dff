-- Gives the jobs of a revoked worker back, from its ledger; call it until the ledger is empty (a frozen transaction may hide a row for a while).
-- At-most-once jobs that had started are ended, as lost or interrupted, with what they had saved: nothing starts them again. A run that had
-- moved its job's cursor on clears the crashes of the runs before it.
-- params: $1 worker int, $2 reason text, $3 outcome text: 'lost' (nobody saw how it ended), 'crashed' (its process died of itself) or
--         'interrupted' (it was stopped), $4 error json (as text; null: none): what the process died of
-- returns: id, queue (null queue: ended), task; interruptions, fruitless: how many of them since its cursor last moved on,
--          resumes: whether it has a cursor to go on from
-- fence: id, run as the ledger has them, state > 0, worker; and the worker must have been revoked
-- index: ledger_pkey, job_pkey, checkpoint_pkey, request_pkey
with dead as materialized (
  select key from :schema.worker where key = $1 and not alive
), death as (
  select ($3::text = 'lost')::int as lost, ($3::text = 'crashed')::int as crashed, ($3::text = 'interrupted')::int as interrupted
), held as materialized (
  select j.tid, j.state, c.items, coalesce(c.moved, 0) as moved, coalesce(c.interruptions, 0) as interruptions
  from dead
  join :schema.ledger l on l.worker = dead.key
  cross join unnest(l.ids, l.runs) as k(id, run)
  cross join lateral (
    select j.ctid as tid, j.state from :schema.job j
    where j.id = k.id and j.run = k.run and j.state > 0 and j.worker = $1
    limit 1
    for update skip locked
  ) as j
  left join lateral (select items, moved, interruptions from :schema.checkpoint where id = k.id limit 1) as c on true
), freed as (
  update :schema.job j
  set state = 0, lane = 0, position = nextval(':schema.position'), worker = null, losses = j.losses + d.lost,
    interruptions = j.interruptions + d.interrupted,
    crashes = least(case when held.moved = j.run then 0 else j.crashes end + d.crashed, 32767)
  from held, death d where j.ctid = held.tid and held.state = 1
  returning j.id, j.run, j.queue, j.task, j.started_at, j.interruptions, j.interruptions - held.interruptions as fruitless,
    held.moved > 0 as resumes, held.items
), ended as (
  delete from :schema.job j using held where j.ctid = held.tid and held.state = 2
  returning j.id, j.created_at, j.started_at, j.run, j.worker, j.interruptions, j.losses, j.failures, j.crashes, j.priority, j.version,
    j.queue, j.task, j.input
), progress as (
  delete from :schema.checkpoint c using ended where c.id = ended.id
  returning c.id, c.items, c.total, c.cursor
), requests as (
  delete from :schema.request r using ended where r.id = ended.id
), kept as (
  insert into :schema.history (id, created_at, started_at, run, worker, interruptions, losses, failures, crashes, state, priority, version,
    at_most_once, queue, task, input, error, items, total, cursor)
  select e.id, e.created_at, e.started_at, e.run, e.worker, e.interruptions + d.interrupted, e.losses + d.lost, e.failures,
    e.crashes + d.crashed, 24 + d.interrupted, e.priority, e.version, true, e.queue, e.task, e.input, $4::json, p.items, p.total, p.cursor
  from ended e cross join death d left join progress p on p.id = e.id
), told as (
  insert into :schema.trail (job, run, worker, outcome, reason, error, items, started_at)
  select id, run, $1, $3::text, $2, $4::json, items, started_at from freed
  union all
  select e.id, e.run, $1, $3::text, $2, $4::json, p.items, e.started_at from ended e left join progress p on p.id = e.id
)
select id, queue, task, interruptions, fruitless, resumes from freed
union all
select id, null, task, interruptions, 0, false from ended
