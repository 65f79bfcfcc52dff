-- Deletes the ledger rows of a revoked worker of which nothing is held any more, and its lease when none is left.
-- params: $1 worker int
-- returns: left, the number of ledger rows that still hold something
with emptied as (
  delete from :schema.ledger l
  using :schema.worker w
  where l.worker = $1 and w.key = $1 and not w.alive
    and not exists (
      select from unnest(l.ids, l.runs) as k(id, run)
      cross join lateral (select * from :schema.job where id = k.id limit 1) as j
      where j.run = k.run and j.state > 0 and j.worker = $1
    )
  returning l.claim
), remaining as (
  select (select count(*) from :schema.ledger where worker = $1) - (select count(*) from emptied) as rows
), ended as (
  delete from :schema.lease l using :schema.worker w, remaining
  where l.worker = $1 and w.key = $1 and not w.alive and remaining.rows = 0
)
select rows::int as left from remaining
