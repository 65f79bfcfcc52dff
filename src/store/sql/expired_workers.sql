-- Workers whose lease has run out by the database's clock, and revoked ones whose jobs are not all released yet.
-- returns: worker, name
-- index: the lease table has a row a live worker: small
select l.worker, w.name
from :schema.lease l join :schema.worker w on w.key = l.worker
where l.expires_at < clock_timestamp() or not w.alive
