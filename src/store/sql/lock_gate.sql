-- The turn of whoever begins or ends a deploy; waits for workers that are just registering.
-- returns: one row
select one from :schema.gate for update
