-- Up to which position everything has been committed or rolled back: what a later statement does not see there, will never be there; as far as
-- that statement was allowed to look.
-- params: $1 worker int
-- returns: floor, permit: the version of the worker's row (whoever holds, frees or revokes it makes another one). No row: it may not claim.
--          The same permit before and after a claim: the claim was allowed.
-- index: worker_pkey; horizon has one row
select h.floor, w.xmin::text as permit
from :schema.horizon h
cross join :schema.worker w
where w.key = $1 and w.alive and w.claiming
