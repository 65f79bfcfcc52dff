-- The saved progress of a job, for the run that goes on from it.
-- params: $1 id uuid, $2 run int
-- returns: one row if the run still holds the job: items, total, cursor as text (null: from the start), part, parts, root (null: not fanned out)
-- fence: id, run, state > 0
select c.items, c.total, c.cursor::text as cursor, p.root, p.part, p.parts
from :schema.job j
left join :schema.checkpoint c on c.id = j.id
left join :schema.part p on p.job = j.id
where j.id = $1 and j.run = $2 and j.state > 0
