-- Gives the jobs of a revoked worker back, from its ledger; call it until the ledger is empty (a frozen transaction may hide a row for a while).
-- At-most-once jobs that had started are ended as lost, with what they had saved: nothing starts them again.
-- params: $1 worker int, $2 reason text
-- returns: id, queue (null queue: ended as lost)
-- fence: id, run as the ledger has them, state > 0, worker; and the worker must have been revoked
-- index: ledger_pkey, job_pkey, checkpoint_pkey, request_pkey
with dead as materialized (
  select key from :schema.worker where key = $1 and not alive
), held as materialized (
  select j.tid, j.state
  from dead
  join :schema.ledger l on l.worker = dead.key
  cross join unnest(l.ids, l.runs) as k(id, run)
  cross join lateral (
    select j.ctid as tid, j.state from :schema.job j
    where j.id = k.id and j.run = k.run and j.state > 0 and j.worker = $1
    limit 1
    for update skip locked
  ) as j
), freed as (
  update :schema.job j
  set state = 0, lane = 0, position = nextval(':schema.position'), worker = null, losses = j.losses + 1
  from held where j.ctid = held.tid and held.state = 1
  returning j.id, j.run, j.queue, j.started_at
), lost as (
  delete from :schema.job j using held where j.ctid = held.tid and held.state = 2
  returning j.id, j.created_at, j.started_at, j.run, j.worker, j.interruptions, j.losses, j.failures, j.crashes, j.priority, j.version,
    j.queue, j.task, j.input
), progress as (
  delete from :schema.checkpoint c using lost where c.id = lost.id
  returning c.id, c.items, c.total, c.cursor
), requests as (
  delete from :schema.request r using lost where r.id = lost.id
), kept as (
  insert into :schema.history (id, created_at, started_at, run, worker, interruptions, losses, failures, crashes, state, priority, version,
    at_most_once, queue, task, input, items, total, cursor)
  select l.id, l.created_at, l.started_at, l.run, l.worker, l.interruptions, l.losses + 1, l.failures, l.crashes, 24, l.priority, l.version,
    true, l.queue, l.task, l.input, p.items, p.total, p.cursor
  from lost l left join progress p on p.id = l.id
), told as (
  insert into :schema.trail (job, run, worker, outcome, reason, started_at)
  select id, run, $1, 'lost', $2, started_at from freed
  union all
  select id, run, $1, 'lost', $2, started_at from lost
)
select id, queue from freed
union all
select id, null from lost
