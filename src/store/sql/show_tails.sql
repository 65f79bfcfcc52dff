-- The last log lines of a job's runs, the newest run first. For people: reads only.
-- params: $1 id uuid, $2 most int
-- returns: run, started_at, saved_at, said (how many lines it logged in all), lines (json as text: the last of them)
-- index: tail_pkey in every partition
select t.run, t.started_at, t.saved_at, t.said, t.lines::text as lines
from :schema.tail t
where t.job = $1
order by t.run desc
limit $2
