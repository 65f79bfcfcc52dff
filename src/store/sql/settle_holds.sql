-- Holds every live worker that a deploy covers now, and lets all others claim. After lock_gate.sql, in the same transaction.
-- returns: key, deploy of each worker that is held
-- invariants: waits for claims in flight; when it is committed, no claim of a held worker lands
-- index: worker_alive, deploy_live
with found as (
  select w.key, h.deploy from :schema.worker w left join :schema.held h on h.worker = w.key where w.alive
), settled as (
  update :schema.worker w
  set claiming = found.deploy is null, deploy = found.deploy
  from found
  where w.key = found.key and (w.claiming <> (found.deploy is null) or w.deploy is distinct from found.deploy)
)
select key, deploy from found where deploy is not null
