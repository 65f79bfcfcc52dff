-- In which of these queues a job is ready: whoever has a free slot would have taken it, so there is none for another job either.
-- params: $1 queues text[]
-- returns: a row a queue: queue
-- index: job_ready, one probe a queue: its first ready job. Reads only, for a worker that leaves and would hand its jobs off; being wrong
--        for a moment, either way, costs a moment.
select q.queue
from unnest($1::text[]) as q(queue)
cross join lateral (
  -- The order is the index's: without it, an empty queue would be looked for among all rows.
  select from :schema.job j where j.queue = q.queue and j.state = 0 order by j.lane, j.priority, j.position limit 1
) as ready
