-- The parts of an iteration that was fanned out. For people: reads only.
-- params: $1 id uuid of any of its jobs
-- returns: a row a part: part, parts, job, state (null: it has ended, or its job was deleted), finished, items, total
-- index: part_job, part_pkey, job_pkey, waiting_pkey, checkpoint_pkey
select p.part, p.parts, p.job, coalesce(j.state, w.state) as state, p.finished,
  case when p.finished then p.items else coalesce(c.items, 0) end as items, c.total
from :schema.part p
left join :schema.job j on j.id = p.job
left join :schema.waiting w on w.id = p.job
left join :schema.checkpoint c on c.id = p.job
where p.root = (select root from :schema.part where job = $1)
order by p.part
