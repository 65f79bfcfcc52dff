-- A deploy ends. After lock_gate.sql and before settle_holds.sql, in the same transaction.
-- params: $1 number int, $2 state text ('finished' or 'aborted'), $3 why text or null, $4 report json or null (keeps the one that is there), $5 states text[] that it may be in
-- returns: one row if it had not ended: state (the one before), expired
-- index: deploy_pkey
with before as (
  select number, state, expires_at <= clock_timestamp() and state <> 'migrating' as expired
  from :schema.deploy where number = $1 and ended_at is null and state = any($5) for update
), ended as (
  update :schema.deploy d
  set state = $2, why = $3, ended_at = clock_timestamp(), report = coalesce($4::json, d.report)
  from before where d.number = before.number
)
select state, expired from before
