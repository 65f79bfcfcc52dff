-- Reads back a start whose answer was lost.
-- params: $1 ids uuid[], $2 runs int[]
-- returns: id, started: whether the start of this run stands
select j.id, j.state = 2 as started
from unnest($1::uuid[], $2::int[]) as k(id, run)
cross join lateral (select * from :schema.job where id = k.id limit 1) as j
where j.run = k.run and j.state > 0
