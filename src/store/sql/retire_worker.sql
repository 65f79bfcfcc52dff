-- A worker leaves, holding nothing.
-- params: $1 worker int
-- returns: one row if nothing was left; none: its ledger still holds a job (the sweep will see to it)
with gone as (
  update :schema.worker set alive = false, claiming = false, ended_at = clock_timestamp()
  where key = $1 and not exists (
    select from :schema.ledger l
    cross join unnest(l.ids, l.runs) as k(id, run)
    join :schema.job j on j.id = k.id and j.run = k.run and j.state > 0 and j.worker = $1
    where l.worker = $1
  )
  returning key
), emptied as (
  delete from :schema.ledger using gone where worker = gone.key
)
delete from :schema.lease using gone where worker = gone.key returning worker
