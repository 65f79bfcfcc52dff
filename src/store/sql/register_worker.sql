-- A worker starts: a new incarnation with its lease. In a transaction after share_gate.sql and before settle_hold.sql.
-- params: $1 name text, $2 build text, $3 release text, $4 tasks text[], $5 queues text[], $6 lease ms float8, $7 manifest json (as text),
--         $8 app text, $9 token text or null, $10 slots int
-- returns: key
with started as (
  insert into :schema.worker (name, build, release, tasks, queues, manifest, app, token, slots)
  values ($1, $2, $3, $4, $5, $7::text::json, $8, $9, $10)
  returning key
), leased as (
  insert into :schema.lease (worker, expires_at) select key, clock_timestamp() + $6::float8 * interval '1 ms' from started
)
select key from started
