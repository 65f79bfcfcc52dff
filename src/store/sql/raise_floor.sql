-- Moves the floor of the sweep up, as far as every transaction that could still make a low position visible has ended.
-- A position is drawn an instant before its transaction has an id; so the position noted at one tick is paired with the id of the next
-- tick's own transaction, and becomes the floor once all transactions with lower ids have ended.
-- params: $1 reset boolean: look from zero this time (claims may have been rolled back), $2 ms float8: a tick is at least so long
-- returns: floor as it was before: the sweep that follows starts there; no row: it is not this worker's turn
with tick as (
  update :schema.horizon h
  set floor = case when now.settled then h.sampled_position else h.floor end,
    sampled_position = case when now.settled or now.unsampled then h.next_position else h.sampled_position end,
    sampled_xid = case when now.settled or now.unsampled then pg_current_xact_id() else h.sampled_xid end,
    next_position = now.position,
    swept_at = clock_timestamp()
  from (
    select floor, swept_at,
      coalesce(sampled_xid <= pg_snapshot_xmin(pg_current_snapshot()), false) as settled,
      -- An id of the future comes from another server, from which this database was restored.
      coalesce(sampled_xid > pg_snapshot_xmax(pg_current_snapshot()), true) as unsampled,
      (select case when is_called then last_value else 0 end from :schema.position) as position
    from :schema.horizon
  ) as now
  -- What was read must be what is updated: whoever waited here for another tick has a snapshot that is too old for it.
  where h.swept_at = now.swept_at and h.swept_at < clock_timestamp() - $2::float8 * interval '1 ms'
  returning now.floor
)
select case when $1 then 0 else floor end::text as floor from tick
union all
select '0' where $1 and not exists (select from tick)
