-- Reads back a start whose answer was lost.
-- params: $1 ids uuid[], $2 runs int[]
-- returns: id, started: whether the start of this run stands
select j.id, j.state = 2 as started
from unnest($1::uuid[], $2::int[]) as k(id, run)
join :schema.job j on j.id = k.id and j.run = k.run and j.state > 0
