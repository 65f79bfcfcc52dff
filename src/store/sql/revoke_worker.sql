-- Takes a worker's rights away: it can claim no more. Waits for its claims in flight.
-- params: $1 worker int, $2 force boolean (false: only if its lease has run out meanwhile)
-- returns: one row if the worker is revoked now
update :schema.worker w
set alive = false, claiming = false, ended_at = coalesce(w.ended_at, clock_timestamp())
where w.key = $1
  and ($2 or not w.alive or exists (select from :schema.lease l where l.worker = w.key and l.expires_at < clock_timestamp()))
returning w.key
