-- Moves the floor of the sweep up, as far as every transaction that could still make a low position visible has ended.
-- A position is drawn an instant before its transaction has an id; so the position noted at one tick is paired with the id of the next
-- tick's own transaction, and becomes the floor once all transactions with lower ids have ended.
-- The first tick after a worker was revoked looks from zero, and so does the first one half a minute later: a claim that was in flight may
-- roll back a little after.
-- params: $1 reset boolean: look from zero this time (claims may have been rolled back), $2 ms float8: a tick is at least so long
-- returns: floor as it was before: the sweep that follows starts there; no row: it is not this worker's turn
with tick as (
  update :schema.horizon h
  set floor = case when now.settled then h.sampled_position else h.floor end,
    sampled_position = case when now.settled or now.unsampled then h.next_position else h.sampled_position end,
    sampled_xid = case when now.settled or now.unsampled then pg_current_xact_id() else h.sampled_xid end,
    next_position = now.position,
    -- By the row that is updated: a revocation may have committed after this statement began.
    deep = coalesce(
      h.revoked_at >= h.swept_at or h.revoked_at + interval '30 s' >= h.swept_at and h.revoked_at + interval '30 s' < now.at, false
    ),
    swept_at = now.at
  from (
    select floor, swept_at, clock_timestamp() as at,
      coalesce(sampled_xid <= pg_snapshot_xmin(pg_current_snapshot()), false) as settled,
      -- An id of the future comes from another server, from which this database was restored.
      coalesce(sampled_xid > pg_snapshot_xmax(pg_current_snapshot()), true) as unsampled,
      (select case when is_called then last_value else 0 end from :schema.position) as position
    from :schema.horizon
  ) as now
  -- What was read must be what is updated: whoever waited here for another tick has a snapshot that is too old for it.
  where h.swept_at = now.swept_at and h.swept_at < clock_timestamp() - $2::float8 * interval '1 ms'
  returning now.floor, h.deep
)
select case when $1 or deep then 0 else floor end::text as floor from tick
union all
select '0' where $1 and not exists (select from tick)
