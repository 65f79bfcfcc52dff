-- Inserts jobs that become ready later (`after`): outside the ready path until `promote` moves them.
-- params: as enqueue.sql up to $8; $9 delays, ms float8[] (null: see $10); $10 due timestamptz[]
-- returns: nothing. A moment of the past is now: promotes look a minute back, not further.
insert into :schema.waiting (id, state, due_at, created_at, queue, task, version, priority, input, expires_at,
  run, interruptions, losses, failures, crashes)
select n.id, 10, coalesce(clock_timestamp() + n.delay * interval '1 ms', greatest(n.due, clock_timestamp())), clock_timestamp(), n.queue, n.task, n.version, n.priority,
  n.input::json, coalesce(clock_timestamp() + n.expires * interval '1 ms', n.expires_at), 0, 0, 0, 0, 0
from unnest($1::uuid[], $2::text[], $3::text[], $4::smallint[], $5::smallint[], $6::text[], $7::float8[], $8::timestamptz[], $9::float8[], $10::timestamptz[])
  as n(id, queue, task, version, priority, input, expires, expires_at, delay, due)
