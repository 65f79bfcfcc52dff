-- Ready jobs that ended up at or below a published mark (a late commit, a rolled-back claim) go to the front lane with a fresh position:
-- marked claims would never look there again.
-- params: $1 floor bigint, $2 most int
-- returns: queue, jobs
-- index: job_ready between floor and mark. The update finds the rows by ctid, and the outer limit says how few: without either, the planner
--        reads the whole table once there are some 10 marks.
with late as (
  select s.tid
  from :schema.mark m
  cross join lateral (
    select j.ctid as tid from :schema.job j
    where j.queue = m.queue and j.lane = m.lane and j.priority = m.priority and j.position > $1 and j.position <= m.position
      and j.lane between m.lane and m.lane and j.priority between m.priority and m.priority
      and j.state = 0 and case when j.version = 1 then j.task else j.task || '@' || j.version end = any(m.tasks)
    order by j.position limit $2
    for update skip locked
  ) as s
  limit $2
), lifted as (
  update :schema.job j set lane = 0, position = nextval(':schema.position')
  from late where j.ctid = late.tid
  returning j.queue
)
select queue, count(*)::int as jobs from lifted group by queue
