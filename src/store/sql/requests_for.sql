-- What people asked of jobs that this worker runs now.
-- params: $1 worker int
-- returns: id, run, action, reason, until
-- index: request is small; job_pkey
select r.id, j.run, r.action, r.reason, r.until
from :schema.request r
cross join lateral (select * from :schema.job where id = r.id limit 1) as j
where j.worker = $1 and j.state > 0
