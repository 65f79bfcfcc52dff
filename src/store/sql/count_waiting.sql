-- What waits, by queue and state, among at most so many rows. For people: reads only.
-- params: $1 most int
-- returns: queue, state, jobs
select queue, state, count(*)::int as jobs
from (select queue, state from :schema.waiting limit $1) as bounded
group by queue, state
