-- Renews a worker's lease, from a thread of its own.
-- params: $1 worker int, $2 lease ms float8
-- returns: one row: claiming (false: this worker is held); none: the worker was revoked, everything it holds is somebody else's
update :schema.lease l
set expires_at = clock_timestamp() + $2::float8 * interval '1 ms', renewed_at = clock_timestamp()
from :schema.worker w
where l.worker = $1 and w.key = $1 and w.alive
returning w.claiming
