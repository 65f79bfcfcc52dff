-- Makes waiting jobs ready whose time has come. They draw their position now; retries and snoozes go to the main lane like new work.
-- params: $1 most int, $2 from timestamptz: what was due before was promoted ('-infinity': look from the beginning)
-- returns: queue, jobs: how many of each queue became ready
-- index: waiting_due between $2 and now; without $2, every promote reads all dead rows of the past while somebody holds a snapshot.
--        `statement_timestamp()` because `clock_timestamp()` moves while the statement runs: no index condition, all of the future is read.
--        The delete finds the rows by ctid: by id, up to some 500,000 waiting jobs the planner reads them all.
with due as (
  select ctid as tid from :schema.waiting
  where due_at >= $2::timestamptz and due_at <= statement_timestamp()
  order by due_at limit $1
  for update skip locked
), moved as (
  delete from :schema.waiting w using due where w.ctid = due.tid returning w.*
), ready as (
  insert into :schema.job (id, created_at, expires_at, run, interruptions, losses, failures, crashes, priority, version, queue, task, input)
  select id, created_at, expires_at, run, interruptions, losses, failures, crashes, priority, version, queue, task, input
  from moved order by due_at
  returning queue
)
select queue, count(*)::int as jobs from ready group by queue
