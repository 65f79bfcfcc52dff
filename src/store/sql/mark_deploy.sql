-- A migration has begun: the old code must not run again, also when the hold runs out. After lock_gate.sql and before settle_holds.sql, in
-- the same transaction: a worker that looked between this and its commit would let itself go.
-- params: $1 number int
-- returns: one row if it was held, or was marked before: expires_at
-- index: deploy_pkey
update :schema.live_deploy
set state = 'migrating', migrating_at = coalesce(migrating_at, clock_timestamp())
where number = $1 and state in ('held', 'migrating')
returning expires_at
