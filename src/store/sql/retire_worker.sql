-- A worker leaves, holding nothing.
-- params: $1 worker int
-- returns: one row if it had nothing left; none: something is still in its ledger (the sweep will see to it)
with gone as (
  update :schema.worker set alive = false, claiming = false, ended_at = clock_timestamp()
  where key = $1 and not exists (select from :schema.ledger where worker = $1)
  returning key
)
delete from :schema.lease using gone where worker = gone.key returning worker
