-- The saved progress of a job, for the run that goes on from it.
-- params: $1 id uuid, $2 run int
-- returns: one row if the run still holds the job: items, total, cursor as text (null: from the start), rate, fruitless: interruptions since the
--          cursor last moved on, resumes: whether there is one to go on from, part, parts,
--          root (null: not fanned out), before: how the run before this one ended, as the trail has it (null: it left no trace)
-- fence: id, run, state > 0
select c.items, c.total, c.cursor::text as cursor, c.rate, j.interruptions - coalesce(c.interruptions, 0) as fruitless,
  coalesce(c.moved, 0) > 0 as resumes, p.root, p.part, p.parts,
  (select t.outcome from :schema.trail t where t.job = $1 and t.run = $2 - 1 limit 1) as before
from :schema.job j
left join :schema.checkpoint c on c.id = j.id
left join :schema.part p on p.job = j.id
where j.id = $1 and j.run = $2 and j.state > 0
