-- A deploy ends. One whose time had run out has ended then, whatever is asked for. After lock_gate.sql and before settle_holds.sql, in the
-- same transaction.
-- params: $1 number int, $2 state text ('finished' or 'aborted'), $3 why text or null, $4 report json or null (keeps the one that is there), $5 states text[] that it may be in
-- returns: one row if it had not ended: state (the one before), expired
-- index: deploy_pkey
with before as (
  select d.number, d.state, e.number is not null as expired, e.expires_at, e.why
  from :schema.deploy d left join :schema.expired_deploy e on e.number = d.number
  where d.number = $1 and d.ended_at is null and d.state = any($5) for update of d
), ended as (
  update :schema.deploy d
  set state = case when b.expired then 'expired' else $2 end, why = case when b.expired then b.why else $3 end,
    ended_at = case when b.expired then b.expires_at else clock_timestamp() end, report = coalesce($4::json, d.report)
  from before b where d.number = b.number
)
select state, expired from before
