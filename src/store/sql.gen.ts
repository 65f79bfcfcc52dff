// Generated from sql/*.sql and migrations/*.sql by `npm run build:sql`. Do not edit.
export const STATEMENTS = {
  adopt: `with adopted as (
  update :schema.job set version = $3, input = $4::text::json
  where id = $1 and run = $2 and state > 0
  returning id
), moved as (
  update :schema.checkpoint c set cursor = $5::text::json from adopted where c.id = adopted.id and $5::text is not null
)
select id from adopted`,
  begin_deploy: `insert into :schema.deploy (owner, reason, build, token, apps, queues, workers, require, expires_at)
values (
  $1, $2, case when exists (
    select from :schema.worker w
    where w.alive and w.build = $3
      and ($5::text[] is null or w.app = any($5)) and ($6::text[] is null or w.queues && $6) and ($7::text[] is null or w.name like any($7))
  ) then null else $3 end,
  $4, $5, $6, $7, $8, clock_timestamp() + $9::float8 * interval '1 ms'
)
returning number, started_at, build`,
  cancel: `with ready as (
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
select id, 'running' from asked`,
  claim: `with allowed as materialized (
  select key from :schema.worker where key = $1 and alive and claiming for share
), picked as materialized (
  select found.tid
  from allowed
  cross join unnest($6::smallint[], $7::smallint[], $8::bigint[], $9::int[]) as band(lane, priority, mark, most)
  cross join lateral (
    select j.ctid as tid from :schema.job j
    where j.queue = $3 and j.lane = band.lane and j.priority = band.priority and j.position > band.mark
      and j.lane between band.lane and band.lane and j.priority between band.priority and band.priority
      and j.state = 0 and case when j.version = 1 then j.task else j.task || '@' || j.version end = any($4::text[])
    order by j.position
    limit band.most
    for update skip locked
  ) as found
  limit $5
), claimed as (
  update :schema.job j
  set state = 1, run = j.run + 1, worker = $1, started_at = clock_timestamp()
  from picked where j.ctid = picked.tid
  returning j.id, j.run, j.ctid as tid, j.task, j.input::text as input, j.position,
    case when j.failures > 0 or j.interruptions > 0 or j.crashes > 0 or j.losses > 0 or j.lane <> 1 or j.priority <> 5 or j.version <> 1
      or j.expires_at is not null then json_build_object(
      'lane', j.lane, 'priority', j.priority, 'version', j.version, 'failures', j.failures, 'interruptions', j.interruptions,
      'crashes', j.crashes, 'losses', j.losses, 'expired', coalesce(j.expires_at <= clock_timestamp(), false)) end as more
), noted as (
  insert into :schema.ledger (worker, claim, ids, runs)
  select $1, $2, array_agg(id), array_agg(run) from claimed having count(*) > 0
)
select id, run, tid, task, input, position, more from claimed`,
  close_claims: `delete from :schema.ledger l
where l.worker = $1 and l.claim = any($2::bigint[])
  and not exists (
    select from unnest(l.ids, l.runs) as k(id, run)
    cross join lateral (select * from :schema.job where id = k.id limit 1) as j
    where j.run = k.run and j.state > 0
  )`,
  complete: `with ended as (
  delete from :schema.job j
  using unnest($1::uuid[], $2::int[], $3::tid[], $4::text[]) as k(id, run, tid, result)
  where j.ctid = k.tid and j.id = k.id and j.run = k.run and j.state = 1 and k.run between k.run and k.run
  returning j.id, j.created_at, j.started_at, j.run, j.worker, j.interruptions, j.losses, j.failures, j.crashes, j.priority,
    j.version, j.queue, j.task, j.input, k.result::json as result
), closed as (
  delete from :schema.ledger where worker = $6 and claim = any($7::bigint[]) and (select count(*) from ended) = cardinality($1::uuid[])
), kept as (
  insert into :schema.history (id, created_at, started_at, run, worker, interruptions, losses, failures, crashes, state, priority, version,
    queue, task, input, result)
  select id, created_at, started_at, run, worker, interruptions, losses, failures, crashes, 20, priority, version, queue, task, input, result
  from ended
  where $5::boolean
)
select id from unnest($1::uuid[]) as k(id)
where (select count(*) from ended) < cardinality($1::uuid[]) and not exists (select from ended e where e.id = k.id)`,
  count_ready: `with recursive known(queue) as (
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
order by l.queue`,
  count_running: `select j.queue, count(*)::int as running
from :schema.ledger l
cross join unnest(l.ids, l.runs) as k(id, run)
cross join lateral (select * from :schema.job where id = k.id limit 1) as j
where j.run = k.run and j.state > 0
group by j.queue`,
  count_unserved: `with found as (
  select queue, task, version, count(*)::int as jobs
  from (select queue, task, version from :schema.job where state = 0 limit $1) as bounded
  group by queue, task, version
), live as (
  select w.queues, w.tasks from :schema.lease l join :schema.worker w on w.key = l.worker where w.alive and l.expires_at > clock_timestamp()
)
select f.queue, f.task, f.version, f.jobs,
  exists (select from live where f.queue = any(live.queues)) as served,
  exists (select from live, unnest(live.tasks) as takes(key) where f.queue = any(live.queues) and split_part(takes.key, '@', 1) = f.task) as known
from found f
where not exists (
  select from live
  where f.queue = any(live.queues) and case when f.version = 1 then f.task else f.task || '@' || f.version end = any(live.tasks)
)
order by f.jobs desc
limit 20`,
  count_waiting: `select queue, state, count(*)::int as jobs
from (select queue, state from :schema.waiting limit $1) as bounded
group by queue, state`,
  crowded_queues: `with others as materialized (
  select w.key, w.slots, w.queues from :schema.worker w
  where w.alive and w.claiming and w.key <> $2 and w.queues && $1::text[]
  limit 21
)
select q.queue
from unnest($1::text[]) as q(queue)
-- The order is the index's: without it, an empty queue would be looked for among all rows.
where exists (select from (select from :schema.job j where j.queue = q.queue and j.state = 0 order by j.lane, j.priority, j.position limit 1) as ready)
or (
  exists (select from others o where q.queue = any(o.queues))
  and (select count(*) from others) <= 20
  and not exists (
    select from others o
    where q.queue = any(o.queues) and o.slots > (
      select count(*)
      from (select l.ids, l.runs from :schema.ledger l where l.worker = o.key offset 0) l
      cross join lateral unnest(l.ids, l.runs) as k(id, run)
      cross join lateral (select j.run, j.state, j.worker from :schema.job j where j.id = k.id limit 1) as j
      where j.run = k.run and j.state > 0 and j.worker = o.key
    )
  )
)`,
  delay: `with found as materialized (
  select k.run, k.state, k.delay, k.due, k.failed, k.reason, k.error, k.crashed, j.tid, c.items, c.moved
  from unnest($1::uuid[], $2::int[], $3::smallint[], $4::float8[], $5::timestamptz[], $6::smallint[], $7::text[], $8::text[], $9::smallint[])
    as k(id, run, state, delay, due, failed, reason, error, crashed)
  cross join lateral (select ctid as tid from :schema.job where id = k.id limit 1) as j
  left join lateral (select items, moved from :schema.checkpoint where id = k.id limit 1) as c on true
), moved as (
  delete from :schema.job j
  using found k
  where j.ctid = k.tid and j.run = k.run and j.state = 1
  returning j.*, case when k.state = 14 and k.crashed > 0 and k.moved = j.run then 12 else k.state end as next, k.delay, k.due, k.failed,
    k.reason, k.error, k.items, k.crashed > 0 as died,
    case when k.moved = j.run then 0 else j.crashes end + coalesce(k.crashed, 0) as crashed
), closed as (
  delete from :schema.ledger where worker = $10 and claim = any($11::bigint[])
), answered as (
  delete from :schema.request r using moved where moved.next = 13 and r.id = moved.id and r.action = 'pause' returning r.id
), told as (
  insert into :schema.trail (job, run, worker, outcome, reason, error, items, started_at)
  select id, run, worker,
    case when next = 12 and died then 'crashed' when next = 11 then 'failed' when next = 12 then 'snoozed' when next = 13 then 'paused'
      else 'parked' end,
    reason, error::json, items, started_at
  from moved
)
insert into :schema.waiting (id, due_at, created_at, expires_at, run, interruptions, losses, failures, crashes, state, priority, version,
  queue, task, input, reason)
select id,
  case when next = 13 and id not in (select id from answered) or next = 12 and died then clock_timestamp()
    else coalesce(clock_timestamp() + delay * interval '1 ms', greatest(due, clock_timestamp())) end,
  created_at, expires_at, run, interruptions, losses, failures + failed, crashed, next, priority, version, queue, task, input, reason
from moved
returning id`,
  end_deploy: `with before as (
  select d.number, d.state, e.number is not null as expired, e.expires_at, e.why
  from :schema.deploy d left join :schema.expired_deploy e on e.number = d.number
  where d.number = $1 and d.ended_at is null and d.state = any($5) for update of d
), ended as (
  update :schema.deploy d
  set state = case when b.expired then 'expired' else $2 end, why = case when b.expired then b.why else $3 end,
    ended_at = case when b.expired then b.expires_at else clock_timestamp() end, report = coalesce($4::json, d.report)
  from before b where d.number = b.number
)
select state, expired from before`,
  enqueue: `insert into :schema.job (id, queue, task, version, priority, input, expires_at)
select n.id, n.queue, n.task, n.version, n.priority, n.input::json, coalesce(clock_timestamp() + n.expires * interval '1 ms', n.expires_at)
from unnest($1::uuid[], $2::text[], $3::text[], $4::smallint[], $5::smallint[], $6::text[], $7::float8[], $8::timestamptz[])
  as n(id, queue, task, version, priority, input, expires, expires_at)
where (select $9::text is null or pg_notify($9, $10) is not null)`,
  enqueue_later: `insert into :schema.waiting (id, state, due_at, created_at, queue, task, version, priority, input, expires_at,
  run, interruptions, losses, failures, crashes)
select n.id, 10, coalesce(clock_timestamp() + n.delay * interval '1 ms', greatest(n.due, clock_timestamp())), clock_timestamp(), n.queue, n.task, n.version, n.priority,
  n.input::json, coalesce(clock_timestamp() + n.expires * interval '1 ms', n.expires_at), 0, 0, 0, 0, 0
from unnest($1::uuid[], $2::text[], $3::text[], $4::smallint[], $5::smallint[], $6::text[], $7::float8[], $8::timestamptz[], $9::float8[], $10::timestamptz[])
  as n(id, queue, task, version, priority, input, expires, expires_at, delay, due)`,
  expire_deploys: `update :schema.deploy d
set state = 'expired', why = e.why, ended_at = e.expires_at
from :schema.expired_deploy e
where d.number = e.number
returning d.number`,
  expire_lease: `update :schema.lease set expires_at = least(expires_at, clock_timestamp() + $2::float8 * interval '1 ms') where worker = $1`,
  expired_workers: `select l.worker, w.name
from :schema.lease l join :schema.worker w on w.key = l.worker
where l.expires_at < clock_timestamp() or not w.alive`,
  fan_out: `with held as (
  select * from :schema.job where id = $1 and run = $2 and state > 0 for share
), others as (
  select k.id, k.part::smallint from held, unnest($4::uuid[]) with ordinality as k(id, part)
  where not exists (select from :schema.part where root = $1)
), noted as (
  insert into :schema.part (root, part, parts, job)
  select $1, 0, $3::smallint, $1 from held
  union all
  select $1, part, $3::smallint, id from others
  on conflict do nothing
  returning part, job
), enqueued as (
  insert into :schema.job (id, queue, task, version, priority, input, expires_at)
  select noted.job, held.queue, held.task, held.version, held.priority, held.input, null
  from held, noted
  where noted.part > 0
)
select 1 as held from held`,
  find_unserved: `with recursive live as materialized (
  select w.key, w.queues, w.tasks
  from :schema.lease l join :schema.worker w on w.key = l.worker
  where w.alive and l.expires_at > clock_timestamp()
), asking as materialized (
  select 1 where $1 = (select min(key) from live)
), known(queue) as (
  (select j.queue from asking cross join lateral (select queue from :schema.job order by queue limit 1) as j)
  union all
  select (select j.queue from :schema.job j where j.queue > known.queue order by j.queue limit 1) from known where known.queue is not null
), front as (
  select known.queue, j.task, j.version, count(*)::int as jobs, min(j.since) as since
  from known
  cross join generate_series(0, 1) as lanes(lane)
  cross join generate_series(0, 9) as priorities(priority)
  cross join lateral (
    select r.task, r.version, coalesce(r.started_at, r.created_at) as since
    from :schema.job r
    where r.queue = known.queue and r.lane = lanes.lane and r.priority = priorities.priority and r.state = 0
      and r.lane between lanes.lane and lanes.lane and r.priority between priorities.priority and priorities.priority
    order by r.position
    limit $2
  ) as j
  where known.queue is not null
  group by known.queue, j.task, j.version
), unserved as (
  select f.queue, f.task, f.version, f.jobs, extract(epoch from clock_timestamp() - f.since)::float8 * 1000 as ms,
    exists (select from live l where f.queue = any(l.queues)) as served,
    exists (select from live l, unnest(l.tasks) as takes(key) where f.queue = any(l.queues) and split_part(takes.key, '@', 1) = f.task) as known
  from front f
  where not exists (
    select from live l
    where f.queue = any(l.queues) and case when f.version = 1 then f.task else f.task || '@' || f.version end = any(l.tasks)
  )
  order by f.jobs desc
  limit 20
)
select (select coalesce(json_agg(u), '[]') from unserved u)::text as found from asking`,
  finish: `with found as materialized (
  select k.run, k.state, k.result, k.error, k.keep, k.crashed, j.tid
  from unnest($1::uuid[], $2::int[], $3::smallint[], $4::text[], $5::text[], $6::boolean[], $7::boolean[])
    as k(id, run, state, result, error, keep, crashed)
  cross join lateral (select ctid as tid from :schema.job where id = k.id limit 1) as j
), ended as (
  delete from :schema.job j
  using found k
  where j.ctid = k.tid and j.run = k.run and j.state > 0
  returning j.id, j.created_at, j.started_at, j.run, j.worker, j.interruptions, j.losses, j.failures, j.crashes, k.state, j.priority,
    j.state = 2 as once, j.version, j.queue, j.task, j.input, k.result::json as result, k.error::json as error, k.keep, k.crashed
), progress as (
  delete from :schema.checkpoint c using ended where c.id = ended.id
  returning c.id, c.items, c.total, c.cursor
), requests as (
  delete from :schema.request r using ended where r.id = ended.id
), closed as (
  delete from :schema.ledger where worker = $8 and claim = any($9::bigint[])
), told as (
  insert into :schema.trail (job, run, worker, outcome, error, items, started_at)
  select e.id, e.run, e.worker,
    case when e.crashed then 'crashed' else case e.state when 21 then 'failed' when 22 then 'cancelled' when 23 then 'expired' when 24 then 'lost' else 'interrupted' end end,
    e.error, p.items, e.started_at
  from ended e left join progress p on p.id = e.id
  where e.state <> 20
), kept as (
  insert into :schema.history (id, created_at, started_at, run, worker, interruptions, losses, failures, crashes, state, priority, version,
    at_most_once, queue, task, input, result, error, items, total, cursor)
  select e.id, e.created_at, e.started_at, e.run, e.worker, e.interruptions + (e.state = 25)::int, e.losses + (e.state = 24)::int,
    e.failures + (e.state = 21 and not e.crashed)::int, least(e.crashes + e.crashed::int, 32767), e.state, e.priority, e.version, e.once, e.queue, e.task, e.input, e.result, e.error,
    p.items, p.total, p.cursor
  from ended e left join progress p on p.id = e.id
  where e.keep
)
select id from ended`,
  finish_part: `update :schema.part set finished = true, items = $3 where root = $1 and job = $2`,
  finish_tx: `with ended as (
  delete from :schema.job j where j.id = $1 and j.run = $2 and j.state > 0
  returning j.id, j.created_at, j.started_at, j.run, j.worker, j.interruptions, j.losses, j.failures, j.crashes, j.priority,
    j.state = 2 as once, j.version, j.queue, j.task, j.input
), progress as (
  delete from :schema.checkpoint c using ended where c.id = ended.id
  returning c.items, c.total, c.cursor
), requests as (
  delete from :schema.request r using ended where r.id = ended.id
), kept as (
  insert into :schema.history (id, created_at, started_at, run, worker, interruptions, losses, failures, crashes, state, priority, version,
    at_most_once, queue, task, input, result, items, total, cursor)
  select e.id, e.created_at, e.started_at, e.run, e.worker, e.interruptions, e.losses, e.failures, e.crashes, 20, e.priority, e.version,
    e.once, e.queue, e.task, e.input, $3::json, p.items, p.total, p.cursor
  from ended e left join progress p on true
  where $4::boolean
)
select case when current_setting('holdfast.nonce', true) is distinct from $5
    then :schema.refuse('HF002', 'the transaction of job ' || $1::uuid || ' was ended by its handler')
  when exists (select from ended) then true
  else :schema.refuse('HF001', 'the job ' || $1::uuid || ' has moved on: run ' || $2::int || ' may not complete it') end`,
  forget_parts: `delete from :schema.part where root = $1`,
  forget_progress: `with looked as materialized (
  select id from :schema.checkpoint where id > $1 order by id limit $2
), gone as (
  delete from :schema.checkpoint c using looked l
  where c.id = l.id and c.updated_at < clock_timestamp() - interval '1 hour'
    and (select j.id from :schema.job j where j.id = c.id limit 1) is null
    and (select w.id from :schema.waiting w where w.id = c.id limit 1) is null
)
select id as last, (select count(*)::int from looked) as looked from looked order by id desc limit 1`,
  forget_released: `with emptied as (
  delete from :schema.ledger l
  using :schema.worker w
  where l.worker = $1 and w.key = $1 and not w.alive
    and not exists (
      select from unnest(l.ids, l.runs) as k(id, run)
      cross join lateral (select * from :schema.job where id = k.id limit 1) as j
      where j.run = k.run and j.state > 0 and j.worker = $1
    )
  returning l.claim
), remaining as (
  select (select count(*) from :schema.ledger where worker = $1) - (select count(*) from emptied) as rows
), ended as (
  delete from :schema.lease l using :schema.worker w, remaining
  where l.worker = $1 and w.key = $1 and not w.alive and remaining.rows = 0
)
select rows::int as left from remaining`,
  hand_back: `with found as materialized (
  select k.run, k.interrupted, k.reason, k.crashed, k.error, j.tid, c.items, c.moved, c.interruptions
  from unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::int[], $6::text[]) as k(id, run, interrupted, reason, crashed, error)
  cross join lateral (select ctid as tid from :schema.job where id = k.id limit 1) as j
  left join lateral (select items, moved, interruptions from :schema.checkpoint where id = k.id limit 1) as c on true
), moved as (
  update :schema.job j
  set state = 0, lane = 0, position = nextval(':schema.position'), worker = null, interruptions = j.interruptions + k.interrupted,
    crashes = least(case when k.moved = j.run then 0 else j.crashes end + coalesce(k.crashed, 0), 32767)
  from found k
  where j.ctid = k.tid and j.run = k.run and j.state = 1
  returning j.id, j.run, j.queue, j.task, j.started_at, j.interruptions, k.reason, k.interrupted, k.crashed, k.error, k.items,
    j.interruptions - coalesce(k.interruptions, 0) as fruitless, coalesce(k.moved, 0) > 0 as resumes
), closed as (
  delete from :schema.ledger where worker = $7 and claim = any($8::bigint[])
), told as (
  insert into :schema.trail (job, run, worker, outcome, reason, error, items, started_at)
  select id, run, $7, case when crashed > 0 then 'crashed' when interrupted > 0 then 'interrupted' else 'yielded' end, reason, error::json,
    items, started_at
  from moved where reason is not null
)
select id, queue, task, interruptions, fruitless, resumes from moved`,
  health_horizon: `select kind, who, detail, xids, ms
from (
  select 'session' as kind, pid::text as who, concat_ws(', ', usename, nullif(application_name, ''), state) as detail,
    age(coalesce(backend_xmin, backend_xid)) as xids, extract(epoch from clock_timestamp() - xact_start)::float8 * 1000 as ms
  from pg_catalog.pg_stat_activity
  where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
    and (backend_xmin is not null or backend_xid is not null)
  union all
  select 'prepared transaction', gid, owner, age(transaction), extract(epoch from clock_timestamp() - prepared)::float8 * 1000
  from pg_catalog.pg_prepared_xacts where database = current_database()
  union all
  select 'replication slot', slot_name, case when active then 'in use' else 'not in use' end, age(xmin), null
  from pg_catalog.pg_replication_slots where xmin is not null
) as holders
order by ms desc nulls first, xids desc
limit 5`,
  health_server: `select current_setting('server_version_num')::int as version, current_setting('server_version') as version_text, clock_timestamp() as now,
  pg_is_in_recovery() as replica, current_setting('max_connections')::int as max_connections,
  current_setting('superuser_reserved_connections')::int as reserved,
  (select count(*)::int from pg_catalog.pg_stat_activity where backend_type = 'client backend') as used,
  pg_has_role(current_user, 'pg_read_all_stats', 'usage') as sees_all, current_setting('autovacuum')::boolean as autovacuum`,
  health_tables: `select relname::text as name, n_live_tup as live, n_dead_tup as dead, pg_total_relation_size(relid) as bytes,
  extract(epoch from clock_timestamp() - greatest(last_vacuum, last_autovacuum))::float8 * 1000 as vacuumed_ms
from pg_catalog.pg_stat_user_tables
where schemaname = $1 and relname in ('job', 'waiting', 'checkpoint', 'lease', 'history_default')
order by relname`,
  held_jobs: `select j.id, j.run, j.task, j.failures, j.crashes
from :schema.ledger l
cross join unnest(l.ids, l.runs) as k(id, run)
cross join lateral (select * from :schema.job where id = k.id limit 1) as j
where l.worker = $1 and j.run = k.run and j.state > 0 and j.worker = $1`,
  lift_stragglers: `with late as (
  select s.tid
  from :schema.mark m
  cross join lateral (
    select j.ctid as tid from :schema.job j
    where j.queue = m.queue and j.lane = m.lane and j.priority = m.priority and j.position > $1 and j.position <= m.position
      and j.lane between m.lane and m.lane and j.priority between m.priority and m.priority
      and j.state = 0 and case when j.version = 1 then j.task else j.task || '@' || j.version end = any(m.tasks)
    order by j.position limit $2
    for update skip locked
  ) as s
  limit $2
), lifted as (
  update :schema.job j set lane = 0, position = nextval(':schema.position')
  from late where j.ctid = late.tid
  returning j.queue
)
select queue, count(*)::int as jobs from lifted group by queue`,
  list_builds: `select w.build, count(*)::int as workers, sum(r.running)::int as running, (array_agg(w.name order by w.key))[1] as oldest
from :schema.worker w
cross join lateral (
  select count(*) as running
  from :schema.ledger l
  cross join unnest(l.ids, l.runs) as k(id, run)
  cross join lateral (select * from :schema.job where id = k.id limit 1) as j
  where l.worker = w.key and j.run = k.run and j.state > 0 and j.worker = w.key
) as r
where (w.alive or w.key = any(array(select worker from :schema.lease))) and ($1::text[] is null or w.app = any($1)) and ($2::text[] is null or w.queues && $2) and ($3::text[] is null or w.name like any($3))
group by w.build
order by min(w.key)`,
  list_deploys: `select d.number, case when e.number is null then d.state else 'expired' end as state, d.owner, d.reason, d.build, d.token,
  d.apps, d.queues, d.workers, d.require, d.started_at, d.passed_at, d.migrating_at, coalesce(d.ended_at, e.expires_at) as ended_at, d.expires_at,
  extract(epoch from d.expires_at - clock_timestamp())::float8 * 1000 as left_ms, d.heard_ms, coalesce(d.why, e.why) as why,
  d.report::text as report, (select count(*) from :schema.worker w where w.alive and w.deploy = d.number)::int as held
from :schema.deploy d
left join :schema.expired_deploy e on e.number = d.number
where ($1::int is null or d.number = $1) and (not $2::boolean or d.ended_at is null and e.number is null)
order by d.number desc
limit $3`,
  list_durations: `select s.p50_ms, s.p95_ms
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
where s.p50_ms is not null`,
  list_ended: `with newest as (
  select h.id, h.state, h.queue, h.task, h.version, h.priority, h.run, h.failures, h.interruptions, h.losses, h.crashes, h.created_at, h.started_at,
    h.ended_at, h.error, h.worker, h.items, h.total
  from :schema.history h
  where h.id >= $1::uuid and ($2::uuid is null or h.id < $2) and ($3::smallint[] is null or h.state = any($3))
    and ($4::text is null or h.task = $4) and ($5::text is null or h.queue = $5)
  order by h.id desc
  limit $6
)
select n.id, n.state, n.queue, n.task, n.version, n.priority, n.run, n.failures, n.interruptions, n.losses, n.crashes, n.created_at, n.started_at, n.ended_at,
  n.error ->> 'message' as reason, w.name as worker, n.items, n.total
from newest n
left join :schema.worker w on w.key = n.worker
order by n.id desc`,
  list_held: `select w.key, w.name, w.app, w.build, w.queues, w.heard is not distinct from $1::int as heard,
  extract(epoch from w.heard_at - d.started_at)::float8 * 1000 as heard_ms,
  extract(epoch from clock_timestamp() - l.renewed_at)::float8 * 1000 as silent_ms
from :schema.worker w
left join :schema.deploy d on d.number = $1
left join :schema.lease l on l.worker = w.key
where w.alive
  and case when $1::int is not null then w.deploy = $1
    else ($2::text[] is null or w.app = any($2)) and ($3::text[] is null or w.queues && $3) and ($4::text[] is null or w.name like any($4))
      and w.build is distinct from $5 end
order by w.key`,
  list_live: `with found as (
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
order by n.id desc`,
  list_manifests: `select w.build, w.queues, w.manifest::text as manifest, array_agg(w.name order by w.key) as names
from :schema.lease l
join :schema.worker w on w.key = l.worker
where w.alive and l.expires_at > clock_timestamp()
group by w.build, w.queues, w.manifest::text
order by min(w.key)`,
  list_parts: `select job from :schema.part where root = $1 order by part`,
  list_vanished: `select w.key, w.name from :schema.worker w where w.deploy = $1 and w.lost order by w.key`,
  list_workers: `select w.key, w.name, w.build, w.release, w.tasks, w.queues, w.started_at, w.alive, w.claiming,
  extract(epoch from l.expires_at - clock_timestamp())::float8 * 1000 as left_ms,
  extract(epoch from clock_timestamp() - l.renewed_at)::float8 * 1000 as renewed_ms,
  clock_timestamp() as now
from :schema.lease l
join :schema.worker w on w.key = l.worker
order by w.key`,
  load_checkpoint: `select c.items, c.total, c.cursor::text as cursor, c.rate, j.interruptions - coalesce(c.interruptions, 0) as fruitless,
  coalesce(c.moved, 0) > 0 as resumes, p.root, p.part, p.parts,
  (select t.outcome from :schema.trail t where t.job = $1 and t.run = $2 - 1 limit 1) as before
from :schema.job j
left join :schema.checkpoint c on c.id = j.id
left join :schema.part p on p.job = j.id
where j.id = $1 and j.run = $2 and j.state > 0`,
  load_marks: `select m.queue, m.lane, m.priority, m.position
from :schema.mark m
where m.accepts = $1 and m.queue = any($2::text[]) and m.position <= (select last_value from :schema.position)`,
  lock_gate: `select one from :schema.gate for update`,
  lock_parts: `select job, finished, items::float8 as items from :schema.part where root = $1 order by part for update`,
  mark_deploy: `update :schema.live_deploy
set state = 'migrating', migrating_at = coalesce(migrating_at, clock_timestamp())
where number = $1 and state in ('held', 'migrating')
returning expires_at`,
  next_due: `select extract(epoch from (
    select due_at from :schema.waiting where due_at >= $1::timestamptz order by due_at limit 1
  ) - clock_timestamp())::float8 * 1000 as ms,
  (clock_timestamp() - interval '1 minute')::text as "from"`,
  overdue_deploys: `select d.number, d.owner, d.reason, extract(epoch from clock_timestamp() - d.expires_at)::float8 * 1000 as late_ms
from :schema.deploy d
where d.ended_at is null and d.state = 'migrating' and d.expires_at <= clock_timestamp()
  and ($1::int is null or $1 = (
    select min(w.key) from :schema.lease l join :schema.worker w on w.key = l.worker where w.alive and l.expires_at > clock_timestamp()
  ))
order by d.number`,
  overlapping_deploys: `select d.number, d.state, d.owner, d.reason, d.started_at, d.expires_at
from :schema.live_deploy d
where (d.apps is null or $1::text[] is null or d.apps && $1)
  and (
    (
      (d.queues is null or $2::text[] is null or d.queues && $2)
      and (d.workers is null or $3::text[] is null or d.workers && $3)
    )
    or exists (
      select from :schema.worker w
      where w.alive and w.deploy = d.number
        and ($1::text[] is null or w.app = any($1)) and ($2::text[] is null or w.queues && $2) and ($3::text[] is null or w.name like any($3))
    )
  )
order by d.number`,
  partitions: `with present as (
  select c.relname::text as name, to_date(right(c.relname, 8), 'YYYYMMDD') as day
  from pg_catalog.pg_inherits i
  join pg_catalog.pg_class c on c.oid = i.inhrelid
  join pg_catalog.pg_class p on p.oid = i.inhparent
  join pg_catalog.pg_namespace n on n.oid = p.relnamespace
  where n.nspname = $1 and p.relname = $2 and c.relname ~ '_[0-9]{8}$'
), today as (
  select (clock_timestamp() at time zone 'utc')::date as day, (clock_timestamp() - $4::float8 * interval '1 ms') at time zone 'utc' as oldest
), wanted as (
  select $2 || to_char(d, '_YYYYMMDD') as name, d::date as day
  from today, generate_series(today.day::timestamp, today.day + $3::int, interval '1 day') as d
)
select name, b.day::text as "from", (b.day + 1)::text as "to", p.name is not null as present, b.day + 1 <= today.oldest as expired
from (select name, day from wanted union select name, day from present) as b
left join present p using (name)
cross join today
order by b.day`,
  pass_deploy: `update :schema.live_deploy
set state = 'held', passed_at = coalesce(passed_at, clock_timestamp()),
  expires_at = case state when 'held' then expires_at else clock_timestamp() + $2::float8 * interval '1 ms' end, heard_ms = $3, report = $4
where number = $1 and state in ('preparing', 'held')
returning expires_at`,
  pause_job: `with until as (
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
select 'running' from asked`,
  promote: `with due as (
  select ctid as tid from :schema.waiting
  where due_at >= $2::timestamptz and due_at <= statement_timestamp()
  order by due_at limit $1
  for update skip locked
), moved as (
  delete from :schema.waiting w using due where w.ctid = due.tid returning w.*
), ready as (
  insert into :schema.job (id, created_at, expires_at, run, interruptions, losses, failures, crashes, priority, version, queue, task, input)
  select id, created_at, expires_at, run, interruptions, losses, failures, crashes, priority, version, queue, task, input
  from moved order by due_at
  returning queue
)
select queue, count(*)::int as jobs from ready group by queue`,
  prune: `with old as (
  select clock_timestamp() - $1::float8 * interval '1 ms' as at
), stray_jobs as (
  delete from :schema.history_default where ctid in (select h.ctid from :schema.history_default h, old where h.ended_at < old.at limit $2)
), stray_runs as (
  delete from :schema.trail_default where ctid in (select t.ctid from :schema.trail_default t, old where t.ended_at < old.at limit $2)
), stray_lines as (
  delete from :schema.tail_default where ctid in (select t.ctid from :schema.tail_default t, old where t.started_at < old.at limit $2)
), gone as (
  delete from :schema.worker w using old
  where w.key in (select key from :schema.worker where not alive and ended_at < old.at limit $2)
    and not exists (select from :schema.lease l where l.worker = w.key)
    and not exists (select from :schema.ledger l where l.worker = w.key)
), marks as (
  delete from :schema.mark where updated_at < clock_timestamp() - interval '7 days'
), deploys as (
  delete from :schema.deploy d using old
  where d.number in (select number from :schema.deploy where ended_at < least(old.at, clock_timestamp() - interval '90 days') order by number limit $2)
), unanswered as (
  delete from :schema.request r
  where r.created_at < clock_timestamp() - interval '1 hour'
    and not exists (select from :schema.job j where j.id = r.id) and not exists (select from :schema.waiting w where w.id = r.id)
)
delete from :schema.part p using old
where p.created_at < old.at
  and not exists (
    select from :schema.part s
    where s.root = p.root and (exists (select from :schema.job where id = s.job) or exists (select from :schema.waiting where id = s.job))
  )`,
  publish_marks: `insert into :schema.mark as m (queue, accepts, lane, priority, position, tasks)
select k.queue, $1, k.lane, k.priority, k.position, $2::text[]
from unnest($3::text[], $4::smallint[], $5::smallint[], $6::bigint[]) as k(queue, lane, priority, position)
order by 1, 3, 4
on conflict (queue, accepts, lane, priority) do update
set position = excluded.position, updated_at = clock_timestamp()
where m.position < excluded.position`,
  raise_floor: `with tick as (
  update :schema.horizon h
  set floor = case when now.settled then h.sampled_position else h.floor end,
    sampled_position = case when now.settled or now.unsampled then h.next_position else h.sampled_position end,
    sampled_xid = case when now.settled or now.unsampled then pg_current_xact_id() else h.sampled_xid end,
    next_position = now.position,
    -- By the row that is updated: a revocation may have committed after this statement began.
    deep = coalesce(
      h.revoked_at >= h.swept_at or h.revoked_at + interval '30 s' >= h.swept_at and h.revoked_at + interval '30 s' < now.at, false
    ),
    swept_at = now.at
  from (
    select floor, swept_at, clock_timestamp() as at,
      coalesce(sampled_xid <= pg_snapshot_xmin(pg_current_snapshot()), false) as settled,
      -- An id of the future comes from another server, from which this database was restored.
      coalesce(sampled_xid > pg_snapshot_xmax(pg_current_snapshot()), true) as unsampled,
      (select case when is_called then last_value else 0 end from :schema.position) as position
    from :schema.horizon
  ) as now
  -- What was read must be what is updated: whoever waited here for another tick has a snapshot that is too old for it.
  where h.swept_at = now.swept_at and h.swept_at < clock_timestamp() - $2::float8 * interval '1 ms'
  returning now.floor, h.deep
)
select case when $1 or deep then 0 else floor end::text as floor from tick
union all
select '0' where $1 and not exists (select from tick)`,
  read_claim: `select l.claim, j.queue, j.id, j.run, j.ctid as tid, j.task, j.input::text as input, j.position, json_build_object(
    'lane', j.lane, 'priority', j.priority, 'version', j.version, 'failures', j.failures, 'interruptions', j.interruptions,
    'crashes', j.crashes, 'losses', j.losses, 'expired', coalesce(j.expires_at <= clock_timestamp(), false)) as more
from :schema.ledger l
cross join unnest(l.ids, l.runs) as k(id, run)
cross join lateral (select ctid, * from :schema.job where id = k.id limit 1) as j
where l.worker = $1 and not l.claim = any($2::bigint[]) and j.run = k.run and j.state = 1 and j.worker = $1`,
  read_floor: `select h.floor, w.xmin::text as permit
from :schema.horizon h
cross join :schema.worker w
where w.key = $1 and w.alive and w.claiming`,
  read_hold: `select not w.claiming or w.deploy is not null as held from :schema.worker w where w.key = $1`,
  read_start: `select j.id, j.state = 2 as started
from unnest($1::uuid[], $2::int[]) as k(id, run)
cross join lateral (select * from :schema.job where id = k.id limit 1) as j
where j.run = k.run and j.state > 0`,
  register_worker: `with started as (
  insert into :schema.worker (name, build, release, tasks, queues, manifest, app, token, slots)
  values ($1, $2, $3, $4, $5, $7::text::json, $8, $9, $10)
  returning key
), leased as (
  insert into :schema.lease (worker, expires_at) select key, clock_timestamp() + $6::float8 * interval '1 ms' from started
)
select key from started`,
  release: `with dead as materialized (
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
select id, null, task, interruptions, 0, false from ended`,
  renew: `update :schema.lease l
set expires_at = clock_timestamp() + $2::float8 * interval '1 ms', renewed_at = clock_timestamp()
from :schema.worker w
where l.worker = $1 and w.key = $1 and w.alive
returning w.claiming`,
  renew_deploy: `update :schema.live_deploy
set expires_at = clock_timestamp() + $2::float8 * interval '1 ms'
where number = $1 and state = any($3)
returning state, expires_at`,
  requests_for: `select r.id, j.run, r.action, r.reason, r.until
from :schema.request r
cross join lateral (select * from :schema.job where id = r.id limit 1) as j
where j.worker = $1 and j.state > 0`,
  resume_job: `with moved as (
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
select null from withdrawn`,
  retry_job: `with ended as (
  delete from :schema.history h where h.id = $1 and h.state > 20 returning h.*
), again as (
  insert into :schema.job (id, created_at, run, lane, priority, version, queue, task, input)
  select case when at_most_once then $2::uuid else id end, case when at_most_once then clock_timestamp() else created_at end,
    case when at_most_once then 0 else run end, 0, priority, version, queue, task, input
  from ended
  returning id, queue
), progress as (
  insert into :schema.checkpoint (id, run, items, total, cursor, moved)
  select id, run, items, total, cursor, case when cursor::text <> 'null' then run else 0 end
  from ended where items is not null and not at_most_once
), forgotten as (
  -- Asked in the instant in which the job ended: it was not meant for what comes now.
  delete from :schema.request r using ended where r.id = ended.id
), kept as (
  insert into :schema.history select * from ended where at_most_once
), due as (
  delete from :schema.waiting w where w.id = $1 and w.state in (10, 11, 12, 14) returning w.*
), ready as (
  insert into :schema.job (id, created_at, expires_at, run, interruptions, losses, failures, crashes, lane, priority, version, queue, task, input)
  select id, created_at, expires_at, run, interruptions, losses, failures, case when state = 14 then 0 else crashes end, 0, priority, version,
    queue, task, input
  from due
  returning id, queue
)
select id, queue from again
union all
select id, queue from ready`,
  revoke_worker: `with revoked as (
  update :schema.worker w
  set alive = false, claiming = false, lost = w.lost or w.alive and not $2, ended_at = coalesce(w.ended_at, clock_timestamp())
  where w.key = $1
    and ($2 or not w.alive or exists (select from :schema.lease l where l.worker = w.key and l.expires_at < clock_timestamp()))
  returning w.key
), told as (
  update :schema.horizon set revoked_at = clock_timestamp()
  where not $3 and exists (select from revoked) and (select w.alive from :schema.worker w where w.key = $1)
)
select key from revoked`,
  running_jobs: `select j.worker, j.id, j.run, j.task, j.queue, extract(epoch from clock_timestamp() - j.started_at)::float8 * 1000 as age_ms
from unnest($1::int[]) as w(key)
cross join lateral (select l.ids, l.runs from :schema.ledger l where l.worker = w.key offset 0) l
cross join lateral unnest(l.ids, l.runs) as k(id, run)
cross join lateral (select * from :schema.job where id = k.id limit 1) as j
where j.run = k.run and j.state > 0 and j.worker = w.key
order by j.started_at`,
  save_checkpoint: `with held as (
  select id, run, interruptions from :schema.job where id = $1 and run = $2 and state > 0 for share
), saved as (
  insert into :schema.checkpoint as c (id, run, items, total, cursor, rate, moved, interruptions)
  select held.id, held.run, $3::bigint, $4, $5::text::json, $6, case when $3::bigint > 0 and $5::text <> 'null' then held.run else 0 end,
    held.interruptions
  from held
  on conflict (id) do update
  set run = excluded.run, items = excluded.items, total = coalesce(excluded.total, c.total), cursor = excluded.cursor, rate = excluded.rate,
    moved = case when excluded.moved > 0 and excluded.items > c.items then excluded.moved else c.moved end,
    interruptions = case when excluded.moved > 0 and excluded.items > c.items then excluded.interruptions else c.interruptions end,
    updated_at = clock_timestamp()
  where c.items <= excluded.items
  returning c.id
)
select r.action, r.reason, r.until from saved left join :schema.request r on r.id = saved.id`,
  save_checkpoint_tx: `with held as (
  select id, run, interruptions from :schema.job where id = $1 and run = $2 and state > 0 for share
), saved as (
  insert into :schema.checkpoint as c (id, run, items, total, cursor, rate, moved, interruptions)
  select held.id, held.run, $3::bigint, $4, $5::text::json, $6, case when $3::bigint > 0 and $5::text <> 'null' then held.run else 0 end,
    held.interruptions
  from held
  on conflict (id) do update
  set run = excluded.run, items = excluded.items, total = coalesce(excluded.total, c.total), cursor = excluded.cursor, rate = excluded.rate,
    moved = case when excluded.moved > 0 and excluded.items > c.items then excluded.moved else c.moved end,
    interruptions = case when excluded.moved > 0 and excluded.items > c.items then excluded.interruptions else c.interruptions end,
    updated_at = clock_timestamp()
  where c.items <= excluded.items
  returning c.id
)
select r.action, r.reason, r.until,
  case when current_setting('holdfast.nonce', true) is distinct from $7
    then :schema.refuse('HF002', 'the transaction of job ' || $1::uuid || ' was ended by its handler')
  when not exists (select from saved)
    then :schema.refuse('HF001', 'the job ' || $1::uuid || ' has moved on: run ' || $2::int || ' may not save its progress') end
from (select) as one left join saved on true left join :schema.request r on r.id = saved.id`,
  save_tails: `with held as (
  select j.id, j.run, j.started_at, k.said, k.lines
  from unnest($1::uuid[], $2::int[], $3::int[], $4::text[]) as k(id, run, said, lines)
  cross join lateral (
    select id, run, started_at from :schema.job
    where id = k.id and run = k.run and state > 0
    limit 1
    for share skip locked
  ) as j
), kept as (
  insert into :schema.tail as t (job, run, started_at, said, lines)
  select id, run, started_at, said, lines::json from held
  on conflict (job, run, started_at) do update set said = excluded.said, lines = excluded.lines, saved_at = clock_timestamp()
  where t.said < excluded.said
)
select id from held`,
  settle_hold: `with found as (
  select w.key, (select h.deploy from :schema.held h where h.worker = w.key) as deploy
  from :schema.worker w where w.key = $1 and w.alive
), settled as (
  update :schema.worker w
  set claiming = found.deploy is null, deploy = found.deploy, heard = coalesce(found.deploy, w.heard),
    heard_at = case when found.deploy is null then w.heard_at else clock_timestamp() end
  from found
  where w.key = found.key
    and (w.claiming <> (found.deploy is null) or w.deploy is distinct from found.deploy or (found.deploy is not null and w.heard is distinct from found.deploy))
)
select found.deploy, d.require, d.state, d.owner, d.reason, d.expires_at <= clock_timestamp() as overdue
from found left join :schema.deploy d on d.number = found.deploy`,
  settle_holds: `with found as (
  select w.key, h.deploy from :schema.worker w left join :schema.held h on h.worker = w.key where w.alive
), settled as (
  update :schema.worker w
  set claiming = found.deploy is null, deploy = found.deploy
  from found
  where w.key = found.key and (w.claiming <> (found.deploy is null) or w.deploy is distinct from found.deploy)
)
select key, deploy from found where deploy is not null`,
  share_gate: `select one from :schema.gate for share`,
  show_job: `with found as (
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
left join :schema.part p on p.job = f.id`,
  show_manifests: `select w.key, w.manifest::text as manifest
from unnest($1::int[]) as k(key)
cross join lateral (select * from :schema.worker where key = k.key limit 1) as w`,
  show_parts: `select p.part, p.parts, p.job, coalesce(j.state, w.state) as state, p.finished,
  case when p.finished then p.items else coalesce(c.items, 0) end as items, c.total
from :schema.part p
left join :schema.job j on j.id = p.job
left join :schema.waiting w on w.id = p.job
left join :schema.checkpoint c on c.id = p.job
where p.root = (select root from :schema.part where job = $1)
order by p.part`,
  show_tails: `select t.run, t.started_at, t.saved_at, t.said, t.lines::text as lines
from :schema.tail t
where t.job = $1
order by t.run desc
limit $2`,
  show_trail: `select t.run, t.outcome, t.reason, t.error::text as error, t.items, t.started_at, t.ended_at, t.worker as worker_key, w.name as worker, w.build
from :schema.trail t
left join :schema.worker w on w.key = t.worker
where t.job = $1
order by t.ended_at desc, t.run desc
limit $2`,
  start: `with found as materialized (
  select k.run, j.tid
  from unnest($1::uuid[], $2::int[]) as k(id, run)
  cross join lateral (select ctid as tid from :schema.job where id = k.id limit 1) as j
)
update :schema.job j
set state = 2
from found k
where j.ctid = k.tid and j.run = k.run and j.state = 1
returning j.id`,
  summarize: `select coalesce(sum(brin_summarize_new_values(i.indexrelid)), 0)::int as ranges
from pg_catalog.pg_inherits h
join pg_catalog.pg_index i on i.indrelid = h.inhrelid
join pg_catalog.pg_class c on c.oid = i.indexrelid
join pg_catalog.pg_am a on a.oid = c.relam and a.amname = 'brin'
where h.inhparent = ':schema.history'::regclass`,
  unseen_cancels: `select r.id, r.reason, r.owner
from :schema.request r
left join lateral (select state from :schema.job where id = r.id limit 1) as j on true
left join lateral (select state from :schema.waiting where id = r.id limit 1) as w on true
where r.action = 'cancel' and (j.state = 0 or w.state is not null)
limit 100`,
  wake: `select pg_notify($1, $2)`,
} as const

export const MIGRATIONS: readonly { number: number; name: string; kind: 'additive' | 'breaking'; text: string }[] = [
  { number: 1, name: 'init', kind: 'additive', text: `-- kind: additive
-- The first schema. A job is one row in exactly one of three places: \`job\` (ready or running), \`waiting\` (for a time, a person or a
-- worker that knows it), \`history\` (ended). Everything else hangs on the job's id and is fenced by its run.

-- Workers: one row for each start of a worker process, never reused. Claims take FOR SHARE on it, so that whoever clears \`alive\` or
-- \`claiming\` waits for the claims in flight and knows that none comes after. The lease lives in a table of its own: its renewals
-- must not conflict with those locks.
-- \`tasks\`: what its claims take. \`slots\`: how many jobs it runs at the same time. \`manifest\`: what it says of its code, for people and for \`deploy plan\`; no claim reads it.
-- \`deploy\`: the one that holds it, so that it does not claim; \`heard\`: the last one that it has answered to. \`token\`: the deploy whose
-- new code it says it is. \`lost\`: its rights were taken because its lease ran out: its process may be alive all the same.
create table :schema.worker (
  key         integer generated always as identity primary key,
  name        text not null,
  app         text not null default '',
  build       text not null,
  token       text,
  release     text not null,
  tasks       text[] not null,
  queues      text[] not null,
  slots       integer not null default 1,
  manifest    json not null,
  started_at  timestamptz not null default clock_timestamp(),
  ended_at    timestamptz,
  alive       boolean not null default true,
  lost        boolean not null default false,
  claiming    boolean not null default true,
  deploy      integer,
  heard       integer,
  heard_at    timestamptz
);
create index worker_alive on :schema.worker (key) where alive;

-- Deploys: who holds which workers, why, and until when. 'preparing': a command waits for work to end and renews \`expires_at\`; 'held': the
-- way is free, until \`expires_at\`; 'migrating': the old code must not run again, whatever the clock says. Ended: 'finished', 'aborted', 'expired'.
-- The scope is everything that these do not narrow: apps, queues (workers that serve one of them), workers (patterns of LIKE).
-- \`build\`: of the new code, whose workers are not held; null: the old code has the same, or nobody said.
create table :schema.deploy (
  number       integer generated always as identity primary key,
  state        text not null default 'preparing' check (state in ('preparing', 'held', 'migrating', 'finished', 'aborted', 'expired')),
  owner        text not null,
  reason       text not null,
  build        text,
  token        text not null,
  apps         text[],
  queues       text[],
  workers      text[],
  require      text not null check (require in ('interruptible', 'idle')),
  started_at   timestamptz not null default clock_timestamp(),
  expires_at   timestamptz not null,
  heard_ms     real,
  passed_at    timestamptz,
  migrating_at timestamptz,
  ended_at     timestamptz,
  why          text,
  report       json
);
create index deploy_live on :schema.deploy (number) where ended_at is null;

-- Locked by whoever makes or ends a hold (FOR UPDATE) and by whoever looks whether it is held (FOR SHARE): a worker that registers now
-- is either seen by a deploy that begins now, or sees it.
create table :schema.gate (
  one  boolean primary key default true check (one)
);
insert into :schema.gate default values;

-- Deploys that hold now. A migration has no time: the old code must not run again.
create view :schema.live_deploy as
select * from :schema.deploy where ended_at is null and (state = 'migrating' or expires_at > clock_timestamp());

-- Deploys whose time has run out, and of which nobody has written it down yet: whoever looks goes by the clock.
create view :schema.expired_deploy as
select number, expires_at, case state when 'preparing' then 'the command that prepared it vanished' else 'its hold ran out' end as why
from :schema.deploy where ended_at is null and state <> 'migrating' and expires_at <= clock_timestamp();

-- Which live workers are held, by the first deploy that has them in its scope.
create view :schema.held as
select w.key as worker, d.number as deploy
from :schema.worker w
cross join lateral (
  select number from :schema.live_deploy d
  where (d.apps is null or w.app = any(d.apps))
    and (d.queues is null or w.queues && d.queues)
    and (d.workers is null or w.name like any(d.workers))
    and w.build is distinct from d.build and w.token is distinct from d.token
  order by number
  limit 1
) d
where w.alive;

create table :schema.lease (
  worker      integer primary key,
  expires_at  timestamptz not null,
  renewed_at  timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

-- Claim order is (queue, lane, priority, position). The position is drawn when a job becomes ready, by the database.
create sequence :schema.position as bigint;

-- Ready and running jobs. Nothing that changes during a run is indexed, and no predicate names it: claims stay HOT updates.
-- A claimed row is longer than a ready one (worker, started_at): at fillfactor 50 a page that is claimed whole overflows (HOT share 0.89).
-- state: 0 ready, 1 running, 2 running and started (at-most-once: never given back). lane: 0 front (handed back), 1 main.
create table :schema.job (
  id             uuid primary key,
  position       bigint not null default nextval(':schema.position'),
  created_at     timestamptz not null default clock_timestamp(),
  started_at     timestamptz,
  expires_at     timestamptz,
  run            integer not null default 0,
  worker         integer,
  interruptions  integer not null default 0,
  losses         integer not null default 0,
  failures       smallint not null default 0,
  crashes        smallint not null default 0,
  state          smallint not null default 0,
  lane           smallint not null default 1,
  priority       smallint not null default 5,
  version        smallint not null default 1,
  queue          text collate "C" not null,
  task           text collate "C" not null,
  input          json
) with (fillfactor = 45, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_analyze_scale_factor = 0.05);
create index job_ready on :schema.job (queue, lane, priority, position);

-- Jobs that nobody may claim now. state: 10 scheduled, 11 retrying, 12 snoozed, 13 paused, 14 parked. Each has a \`due_at\`: no wait is
-- for ever, and no pause can be forgotten.
create table :schema.waiting (
  id             uuid primary key,
  due_at         timestamptz not null,
  created_at     timestamptz not null,
  expires_at     timestamptz,
  run            integer not null,
  interruptions  integer not null,
  losses         integer not null,
  failures       smallint not null,
  crashes        smallint not null,
  state          smallint not null,
  priority       smallint not null,
  version        smallint not null,
  queue          text collate "C" not null,
  task           text collate "C" not null,
  input          json,
  reason         text
);
create index waiting_due on :schema.waiting (due_at);

-- One row a claim: which jobs and which runs a worker took with it. A dead worker is emptied from here (0.8 ms at 1,000,000 jobs, a
-- scan of \`job\` took 84 to 470), and a claim whose answer was lost is read back from here.
create table :schema.ledger (
  worker  integer not null,
  claim   bigint not null,
  ids     uuid[] not null,
  runs    integer[] not null,
  primary key (worker, claim)
);
-- 500 ids are over the size from which a value is compressed: that was an eighth of a claim's time, and ids hardly get smaller by it.
alter table :schema.ledger alter column ids set storage external;

-- Saved progress of iterations. It lives until the job ends; a failed job's cursor goes to \`history\`, and comes back on a manual retry.
-- \`moved\`: the last run that moved the cursor on (0: none; a plain task's progress has no cursor to go on from), and how often the job had
-- been interrupted then: what came after moved nothing.
create table :schema.checkpoint (
  id          uuid primary key,
  run         integer not null,
  items       bigint not null,
  total       bigint,
  rate        real,
  cursor      json,
  moved       integer not null default 0,
  interruptions  integer not null default 0,
  updated_at  timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

-- What people asked of a job that runs: 'cancel' or 'pause'. The run sees it at its next checkpoint or renewal.
create table :schema.request (
  id          uuid primary key,
  action      text not null check (action in ('cancel', 'pause')),
  reason      text not null,
  owner       text not null,
  until       timestamptz,
  created_at  timestamptz not null default clock_timestamp()
);

-- Ended jobs, by the day they ended. Days are dropped whole, never vacuumed. Ids are time-ordered (UUIDv7), so a BRIN finds one.
-- state: 20 completed, 21 failed, 22 cancelled, 23 expired, 24 lost, 25 interrupted.
create table :schema.history (
  id             uuid not null,
  created_at     timestamptz not null,
  started_at     timestamptz,
  ended_at       timestamptz not null default clock_timestamp(),
  run            integer not null,
  worker         integer,
  interruptions  integer not null,
  losses         integer not null,
  failures       smallint not null,
  crashes        smallint not null,
  state          smallint not null,
  priority       smallint not null,
  version        smallint not null,
  at_most_once   boolean not null default false,
  queue          text collate "C" not null,
  task           text collate "C" not null,
  input          json,
  result         json,
  error          json,
  items          bigint,
  total          bigint,
  cursor         json
) partition by range (ended_at);
create index history_id on :schema.history using brin (id uuid_minmax_multi_ops) with (pages_per_range = 16);
create table :schema.history_default partition of :schema.history default;

-- Runs that ended otherwise than by completing their job: the story of a job, told by \`jobs show\`. \`error\`: what was thrown, or what its
-- process died of; \`items\`: how far the job was then.
create table :schema.trail (
  job         uuid not null,
  run         integer not null,
  worker      integer,
  outcome     text not null,
  reason      text,
  error       json,
  items       bigint,
  started_at  timestamptz,
  ended_at    timestamptz not null default clock_timestamp()
) partition by range (ended_at);
create index trail_job on :schema.trail (job);
create table :schema.trail_default partition of :schema.trail default;

-- The last log lines of runs: what a worker that dies leaves behind. \`said\`: how many lines the run has logged in all. A run's day is that
-- of its start, so that each write finds the one before.
create table :schema.tail (
  job         uuid not null,
  run         integer not null,
  started_at  timestamptz not null,
  saved_at    timestamptz not null default clock_timestamp(),
  said        integer not null,
  lines       json not null,
  primary key (job, run, started_at)
) partition by range (started_at);
create table :schema.tail_default partition of :schema.tail default;

-- Partitions of one iteration that was fanned out. \`root\` is the job that was enqueued; each part is a job of its own.
create table :schema.part (
  root      uuid not null,
  part      smallint not null,
  parts     smallint not null,
  job       uuid not null,
  items     bigint not null default 0,
  finished  boolean not null default false,
  created_at  timestamptz not null default clock_timestamp(),
  primary key (root, part)
);
create unique index part_job on :schema.part (job);

-- Low-water marks: all ready jobs of a band up to \`position\` that these tasks cover have been claimed. Workers publish theirs so that
-- a new worker does not start by reading the dead rows of a day. They only rise.
create table :schema.mark (
  queue       text collate "C" not null,
  accepts     text not null,
  lane        smallint not null,
  priority    smallint not null,
  position    bigint not null,
  tasks       text[] not null,
  updated_at  timestamptz not null default clock_timestamp(),
  primary key (queue, accepts, lane, priority)
) with (fillfactor = 50);

-- Up to \`floor\`, every position has been committed or rolled back: nothing late can appear there. Above it, the sweep looks for ready
-- jobs that ended up below a mark. \`revoked_at\`: when a worker's rights were last taken, whose claims may roll back; \`deep\`: the last sweep
-- began at zero for that. See docs/decisions/0005.
create table :schema.horizon (
  one               boolean primary key default true check (one),
  floor             bigint not null default 0,
  sampled_position  bigint,
  sampled_xid       xid8,
  next_position     bigint not null default 0,
  swept_at          timestamptz not null default '-infinity',
  revoked_at        timestamptz,
  deep              boolean not null default false,
  release           text
);
insert into :schema.horizon default values;

-- Called by a statement whose fence did not hold, inside a transaction that must not commit.
create function :schema.refuse(code text, message text) returns boolean language plpgsql as $$
begin
  raise exception '%', message using errcode = code;
end $$;
` },
]
