-- What people asked of jobs that this worker runs now.
-- params: $1 worker int
-- returns: id, run, action, reason, until
-- index: request is small; job_pkey
select r.id, j.run, r.action, r.reason, r.until
from :schema.request r join :schema.job j on j.id = r.id
where j.worker = $1 and j.state > 0
