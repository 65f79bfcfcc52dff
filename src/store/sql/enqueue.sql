-- Inserts jobs that are ready at once.
-- params: $1 ids uuid[], $2 queues text[], $3 tasks text[], $4 versions smallint[], $5 priorities smallint[], $6 inputs json[] (as text),
--         $7 expires after, ms float8[] (null: see $8), $8 expires at timestamptz[] (null: never),
--         $9 channel text (null: wake nobody), $10 payload text
-- returns: nothing. All or none; the position is drawn here, by the database.
insert into :schema.job (id, queue, task, version, priority, input, expires_at)
select n.id, n.queue, n.task, n.version, n.priority, n.input::json, coalesce(clock_timestamp() + n.expires * interval '1 ms', n.expires_at)
from unnest($1::uuid[], $2::text[], $3::text[], $4::smallint[], $5::smallint[], $6::text[], $7::float8[], $8::timestamptz[])
  as n(id, queue, task, version, priority, input, expires, expires_at)
where (select $9::text is null or pg_notify($9, $10) is not null)
