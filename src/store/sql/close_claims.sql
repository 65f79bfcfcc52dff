-- Forgets ledger rows of which nothing is held any more.
-- params: $1 worker int, $2 claims bigint[]
delete from :schema.ledger l
where l.worker = $1 and l.claim = any($2::bigint[])
  and not exists (
    select from unnest(l.ids, l.runs) as k(id, run)
    join :schema.job j on j.id = k.id and j.run = k.run and j.state > 0
  )
