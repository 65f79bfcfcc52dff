-- Deletes progress whose job has ended: a first checkpoint that was committed while the end of its job waited for its lock is one that the
-- end did not see. Looks at so many rows and no more, and goes on behind them the next time: an index by age would cost every checkpoint.
-- params: $1 after uuid, $2 most int (rows to look at)
-- returns: last: the last id looked at, looked: how many were; no row: there is none
-- index: checkpoint_pkey, job_pkey, waiting_pkey. Scalar subqueries, so that each row is looked up: as joins, the planner may read all jobs.
with looked as materialized (
  select id from :schema.checkpoint where id > $1 order by id limit $2
), gone as (
  delete from :schema.checkpoint c using looked l
  where c.id = l.id and c.updated_at < clock_timestamp() - interval '1 hour'
    and (select j.id from :schema.job j where j.id = c.id limit 1) is null
    and (select w.id from :schema.waiting w where w.id = c.id limit 1) is null
)
select id as last, (select count(*)::int from looked) as looked from looked order by id desc limit 1
