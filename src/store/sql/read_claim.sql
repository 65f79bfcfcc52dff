-- What a claim took, for a worker that never got its answer, and for the comparison of ledger and memory.
-- params: $1 worker int, $2 claims bigint[] that the worker knows of
-- returns: a row for each job still held under a claim that it does not know: claim, queue, id, run, and the job's columns as in claim.sql
-- index: ledger_pkey, job_pkey
select l.claim, j.queue, j.id, j.run, j.task, j.version, j.input::text as input, j.failures, j.interruptions, j.crashes, j.losses, j.lane, j.priority, j.position,
  j.expires_at <= clock_timestamp() as expired
from :schema.ledger l
cross join unnest(l.ids, l.runs) as k(id, run)
cross join lateral (select * from :schema.job where id = k.id limit 1) as j
where l.worker = $1 and not l.claim = any($2::bigint[]) and j.run = k.run and j.state = 1 and j.worker = $1
