-- A deploy goes on holding. Not one that has expired: its workers may have begun to claim. After lock_gate.sql and before settle_holds.sql,
-- in the same transaction.
-- params: $1 number int, $2 ms float8 from now, $3 states text[]
-- returns: one row if it does: state, expires_at
-- index: deploy_pkey
update :schema.live_deploy
set expires_at = clock_timestamp() + $2::float8 * interval '1 ms'
where number = $1 and state = any($3)
returning state, expires_at
