-- Marks one part as finished, in the transaction that completes its job.
-- params: $1 root uuid, $2 job uuid, $3 items bigint
update :schema.part set finished = true, items = $3 where root = $1 and job = $2
