-- Completes one job inside a transaction that also holds the user's writes (`ctx.complete`, the last batch of an iteration).
-- params: $1 id uuid, $2 run int, $3 result json (as text), $4 keep boolean, $5 nonce text
-- returns: nothing
-- fence: id, run, state > 0; a stale one raises HF001, so that nothing in the transaction can commit; HF002 when it is not the transaction
--        that the engine opened: the handler must have ended it
with ended as (
  delete from :schema.job j where j.id = $1 and j.run = $2 and j.state > 0
  returning j.id, j.created_at, j.started_at, j.run, j.worker, j.interruptions, j.losses, j.failures, j.crashes, j.priority,
    j.state = 2 as once, j.version, j.queue, j.task, j.input
), progress as (
  delete from :schema.checkpoint c using ended where c.id = ended.id
  returning c.items, c.total, c.cursor
), requests as (
  delete from :schema.request r using ended where r.id = ended.id
), kept as (
  insert into :schema.history (id, created_at, started_at, run, worker, interruptions, losses, failures, crashes, state, priority, version,
    at_most_once, queue, task, input, result, items, total, cursor)
  select e.id, e.created_at, e.started_at, e.run, e.worker, e.interruptions, e.losses, e.failures, e.crashes, 20, e.priority, e.version,
    e.once, e.queue, e.task, e.input, $3::json, p.items, p.total, p.cursor
  from ended e left join progress p on true
  where $4::boolean
)
select case when current_setting('holdfast.nonce', true) is distinct from $5
    then :schema.refuse('HF002', 'the transaction of job ' || $1::uuid || ' was ended by its handler')
  when exists (select from ended) then true
  else :schema.refuse('HF001', 'the job ' || $1::uuid || ' has moved on: run ' || $2::int || ' may not complete it') end
