-- Records that the code of at-most-once jobs is about to run: from now on nothing starts them again.
-- params: $1 ids uuid[], $2 runs int[]
-- returns: the ids that may start; a missing one has moved on (or had been started by this very run: see read_start.sql)
-- fence: id, run, state = 1
with found as materialized (
  select k.run, j.tid
  from unnest($1::uuid[], $2::int[]) as k(id, run)
  cross join lateral (select ctid as tid from :schema.job where id = k.id limit 1) as j
)
update :schema.job j
set state = 2
from found k
where j.ctid = k.tid and j.run = k.run and j.state = 1
returning j.id
