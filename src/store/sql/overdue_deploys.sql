-- Deploys whose time has run out although a migration had begun: the old code is held until a person ends them. Of all live workers the
-- oldest asks; the others get no answer.
-- params: $1 worker int that asks, or null: a person does
-- returns: number, owner, reason, late_ms (since its time ran out)
-- index: deploy_live: few rows; worker_pkey
select d.number, d.owner, d.reason, extract(epoch from clock_timestamp() - d.expires_at)::float8 * 1000 as late_ms
from :schema.deploy d
where d.ended_at is null and d.state = 'migrating' and d.expires_at <= clock_timestamp()
  and ($1::int is null or $1 = (
    select min(w.key) from :schema.lease l join :schema.worker w on w.key = l.worker where w.alive and l.expires_at > clock_timestamp()
  ))
order by d.number
