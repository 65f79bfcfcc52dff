-- A worker starts: a new incarnation with its lease.
-- params: $1 name text, $2 build text, $3 release text, $4 tasks text[], $5 queues text[], $6 lease ms float8, $7 manifest json (as text)
-- returns: key
with started as (
  insert into :schema.worker (name, build, release, tasks, queues, manifest) values ($1, $2, $3, $4, $5, $7::text::json) returning key
), leased as (
  insert into :schema.lease (worker, expires_at) select key, clock_timestamp() + $6::float8 * interval '1 ms' from started
)
select key from started
