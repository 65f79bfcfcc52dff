-- Forgets ledger rows of which nothing is held any more.
-- params: $1 worker int, $2 claims bigint[]
delete from :schema.ledger l
where l.worker = $1 and l.claim = any($2::bigint[])
  and not exists (
    select from unnest(l.ids, l.runs) as k(id, run)
    cross join lateral (select * from :schema.job where id = k.id limit 1) as j
    where j.run = k.run and j.state > 0
  )
