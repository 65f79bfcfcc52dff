-- A migration has begun: the old code must not run again, also when the hold runs out.
-- params: $1 number int
-- returns: one row if it was held, or was marked before: expires_at
-- index: deploy_pkey
update :schema.deploy
set state = 'migrating', migrating_at = coalesce(migrating_at, clock_timestamp())
where number = $1 and (state = 'migrating' or state = 'held' and expires_at > clock_timestamp())
returning expires_at
