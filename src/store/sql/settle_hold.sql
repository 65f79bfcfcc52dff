-- A worker looks whether it is held, and acts on it: it claims or it does not, and it has heard of the deploy. After share_gate.sql.
-- params: $1 worker int
-- returns: one row while the worker is alive: deploy (null: it claims), require, state, owner, reason, overdue (its hold has run out, and a migration had begun)
-- invariants: the change waits for the worker's claims in flight: once it is written, none lands
-- index: worker_pkey, deploy_live
with found as (
  select w.key, (select h.deploy from :schema.held h where h.worker = w.key) as deploy
  from :schema.worker w where w.key = $1 and w.alive
), settled as (
  update :schema.worker w
  set claiming = found.deploy is null, deploy = found.deploy, heard = coalesce(found.deploy, w.heard),
    heard_at = case when found.deploy is null then w.heard_at else clock_timestamp() end
  from found
  where w.key = found.key
    and (w.claiming <> (found.deploy is null) or w.deploy is distinct from found.deploy or (found.deploy is not null and w.heard is distinct from found.deploy))
)
select found.deploy, d.require, d.state, d.owner, d.reason, d.expires_at <= clock_timestamp() as overdue
from found left join :schema.deploy d on d.number = found.deploy
