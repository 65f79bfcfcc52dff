-- What a claim took, for a worker that never got its answer, and for the comparison of ledger and memory.
-- params: $1 worker int, $2 claims bigint[] that the worker knows of
-- returns: a row for each job still held under a claim that it does not know: claim, queue, id, run, and the job's columns as in claim.sql
-- index: ledger_pkey, job_pkey
select l.claim, j.queue, j.id, j.run, j.ctid as tid, j.task, j.input::text as input, j.position, json_build_object(
    'lane', j.lane, 'priority', j.priority, 'version', j.version, 'failures', j.failures, 'interruptions', j.interruptions,
    'crashes', j.crashes, 'losses', j.losses, 'expired', coalesce(j.expires_at <= clock_timestamp(), false)) as more
from :schema.ledger l
cross join unnest(l.ids, l.runs) as k(id, run)
cross join lateral (select ctid, * from :schema.job where id = k.id limit 1) as j
where l.worker = $1 and not l.claim = any($2::bigint[]) and j.run = k.run and j.state = 1 and j.worker = $1
