-- Keeps the last log lines of runs; each write takes the place of the one before.
-- params: $1 ids uuid[], $2 runs int[], $3 said int[]: how many lines each run has logged in all, $4 lines json[] (as text): the last of them
-- returns: the ids of which these lines, or later ones, are kept now. A missing one has moved on, or is being settled in this instant.
-- fence: id, run, state > 0, held FOR SHARE while this is written. It waits for nobody: a batch that is being settled may hold some of them.
-- index: job_pkey, tail_pkey in the partition of the day on which the run started
with held as (
  select j.id, j.run, j.started_at, k.said, k.lines
  from unnest($1::uuid[], $2::int[], $3::int[], $4::text[]) as k(id, run, said, lines)
  cross join lateral (
    select id, run, started_at from :schema.job
    where id = k.id and run = k.run and state > 0
    limit 1
    for share skip locked
  ) as j
), kept as (
  insert into :schema.tail as t (job, run, started_at, said, lines)
  select id, run, started_at, said, lines::json from held
  on conflict (job, run, started_at) do update set said = excluded.said, lines = excluded.lines, saved_at = clock_timestamp()
  where t.said < excluded.said
)
select id from held
