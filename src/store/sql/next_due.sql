-- How long until the next waiting job is due, by the database's clock.
-- params: $1 from timestamptz: what was due before was promoted ('-infinity': look from the beginning)
-- returns: ms (null: nothing waits; negative: overdue), from: where the next promote may start: a minute ago, for the sake of late commits
-- index: waiting_due from $1
select extract(epoch from (
    select due_at from :schema.waiting where due_at >= $1::timestamptz order by due_at limit 1
  ) - clock_timestamp())::float8 * 1000 as ms,
  (clock_timestamp() - interval '1 minute')::text as "from"
