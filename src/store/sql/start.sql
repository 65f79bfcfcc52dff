-- Records that the code of at-most-once jobs is about to run: from now on nothing starts them again.
-- params: $1 ids uuid[], $2 runs int[]
-- returns: the ids that may start; a missing one has moved on (or had been started by this very run: see read_start.sql)
-- fence: id, run, state = 1
update :schema.job j
set state = 2
from unnest($1::uuid[], $2::int[]) as k(id, run)
where j.id = k.id and j.run = k.run and j.state = 1
returning j.id
