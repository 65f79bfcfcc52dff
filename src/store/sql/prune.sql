-- Deletes what outlived its use: rows that fell into the default partitions, workers that are gone, marks of builds that are gone, deploys
-- of long ago, requests that nobody could answer, parts of iterations that ended otherwise.
-- params: $1 keep ms float8, $2 most int
with old as (
  select clock_timestamp() - $1::float8 * interval '1 ms' as at
), stray_jobs as (
  delete from :schema.history_default where ctid in (select h.ctid from :schema.history_default h, old where h.ended_at < old.at limit $2)
), stray_runs as (
  delete from :schema.trail_default where ctid in (select t.ctid from :schema.trail_default t, old where t.ended_at < old.at limit $2)
), stray_lines as (
  delete from :schema.tail_default where ctid in (select t.ctid from :schema.tail_default t, old where t.started_at < old.at limit $2)
), gone as (
  delete from :schema.worker w using old
  where w.key in (select key from :schema.worker where not alive and ended_at < old.at limit $2)
    and not exists (select from :schema.lease l where l.worker = w.key)
    and not exists (select from :schema.ledger l where l.worker = w.key)
), marks as (
  delete from :schema.mark where updated_at < clock_timestamp() - interval '7 days'
), deploys as (
  delete from :schema.deploy d using old
  where d.number in (select number from :schema.deploy where ended_at < least(old.at, clock_timestamp() - interval '90 days') order by number limit $2)
), unanswered as (
  delete from :schema.request r
  where r.created_at < clock_timestamp() - interval '1 hour'
    and not exists (select from :schema.job j where j.id = r.id) and not exists (select from :schema.waiting w where w.id = r.id)
)
delete from :schema.part p using old
where p.created_at < old.at
  and not exists (
    select from :schema.part s
    where s.root = p.root and (exists (select from :schema.job where id = s.job) or exists (select from :schema.waiting where id = s.job))
  )
