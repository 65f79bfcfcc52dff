-- Takes a worker's rights away: it can claim no more. Waits for its claims in flight, and then tells the sweep: one of them may have been
-- rolled back, so that its jobs are ready again below the marks.
-- params: $1 worker int, $2 force boolean (false: only if its lease has run out meanwhile), $3 leaves boolean: it does so itself, at its end
-- returns: one row if the worker is revoked now
-- index: worker_pkey; the lease table and the horizon are small
with revoked as (
  update :schema.worker w
  set alive = false, claiming = false, lost = w.lost or w.alive and not $2, ended_at = coalesce(w.ended_at, clock_timestamp())
  where w.key = $1
    and ($2 or not w.alive or exists (select from :schema.lease l where l.worker = w.key and l.expires_at < clock_timestamp()))
  returning w.key
), told as (
  update :schema.horizon set revoked_at = clock_timestamp()
  where not $3 and exists (select from revoked) and (select w.alive from :schema.worker w where w.key = $1)
)
select key from revoked
