-- How long until the next waiting job is due, by the database's clock.
-- returns: ms (null: nothing waits; negative: overdue)
-- index: waiting_due
select extract(epoch from min(due_at) - clock_timestamp())::float8 * 1000 as ms from :schema.waiting
