-- Deploys that hold workers which a new one would hold too: one that is there, or one that may come.
-- params: $1 apps text[], $2 queues text[], $3 workers text[] (null: all)
-- returns: number, state, owner, reason, started_at, expires_at
-- index: deploy_live: few rows
select d.number, d.state, d.owner, d.reason, d.started_at, d.expires_at
from :schema.live_deploy d
where (d.apps is null or $1::text[] is null or d.apps && $1)
  and (
    (
      (d.queues is null or $2::text[] is null or d.queues && $2)
      and (d.workers is null or $3::text[] is null or d.workers && $3)
    )
    or exists (
      select from :schema.worker w
      where w.alive and w.deploy = d.number
        and ($1::text[] is null or w.app = any($1)) and ($2::text[] is null or w.queues && $2) and ($3::text[] is null or w.name like any($3))
    )
  )
order by d.number
