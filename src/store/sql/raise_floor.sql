-- Moves the floor of the sweep up, as far as every transaction that could still make a low position visible has ended.
-- A position is drawn an instant before its transaction has an id; so the position noted at one tick is paired with the id horizon of the
-- next one, and becomes the floor once all transactions below that horizon have ended.
-- params: $1 reset boolean: look from zero this time (claims may have been rolled back), $2 ms float8: not if another worker swept so recently
-- returns: floor as it was before: the sweep that follows starts there; no row: it is not this worker's turn
update :schema.horizon h
set floor = case when settled then h.sampled_position else h.floor end,
  sampled_position = case when settled or h.sampled_xid is null then h.next_position else h.sampled_position end,
  sampled_xid = case when settled or h.sampled_xid is null then pg_snapshot_xmax(now.snapshot) else h.sampled_xid end,
  next_position = (select last_value from :schema.position),
  swept_at = clock_timestamp()
from (
  select floor as before, pg_current_snapshot() as snapshot,
    coalesce(pg_snapshot_xmin(pg_current_snapshot()) >= sampled_xid, false) as settled
  from :schema.horizon
) as now
where $1 or h.swept_at < clock_timestamp() - $2::float8 * interval '1 ms'
returning case when $1 then 0 else now.before end::text as floor
