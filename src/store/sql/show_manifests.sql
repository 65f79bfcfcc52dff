-- What these workers said of their code when they registered.
-- params: $1 keys int[]
-- returns: key, manifest as text
-- index: worker_pkey
select w.key, w.manifest::text as manifest
from unnest($1::int[]) as k(key)
cross join lateral (select * from :schema.worker where key = k.key limit 1) as w
