-- A deploy begins. After lock_gate.sql, in the same transaction.
-- params: $1 owner text, $2 reason text, $3 build text or null, $4 token text, $5 apps text[], $6 queues text[], $7 workers text[], $8 require text, $9 ms float8 until it expires
-- returns: number, started_at, build (null: workers of this build live already, so it tells nobody apart)
insert into :schema.deploy (owner, reason, build, token, apps, queues, workers, require, expires_at)
values (
  $1, $2, case when exists (
    select from :schema.worker w
    where w.alive and w.build = $3
      and ($5::text[] is null or w.app = any($5)) and ($6::text[] is null or w.queues && $6) and ($7::text[] is null or w.name like any($7))
  ) then null else $3 end,
  $4, $5, $6, $7, $8, clock_timestamp() + $9::float8 * interval '1 ms'
)
returning number, started_at, build
