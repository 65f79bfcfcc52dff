-- Turns an iteration into parts: its job becomes part 0, and one job more is enqueued for each other part. Once only.
-- params: $1 id uuid, $2 run int, $3 parts smallint, $4 ids of the other parts uuid[]
-- returns: one row if the run holds the job
-- fence: id, run, state > 0, held FOR SHARE while this is written
with held as (
  select * from :schema.job where id = $1 and run = $2 and state > 0 for share
), others as (
  select k.id, k.part::smallint from held, unnest($4::uuid[]) with ordinality as k(id, part)
  where not exists (select from :schema.part where root = $1)
), noted as (
  insert into :schema.part (root, part, parts, job)
  select $1, 0, $3::smallint, $1 from held
  union all
  select $1, part, $3::smallint, id from others
  on conflict do nothing
  returning part, job
), enqueued as (
  insert into :schema.job (id, queue, task, version, priority, input, expires_at)
  select noted.job, held.queue, held.task, held.version, held.priority, held.input, null
  from held, noted
  where noted.part > 0
)
select 1 as held from held
