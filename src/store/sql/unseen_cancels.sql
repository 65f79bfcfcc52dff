-- Jobs that were to be cancelled while they ran, and whose run came to another end before it saw that: they wait, or are ready again.
-- params: none
-- returns: id, reason, owner; at most 100
-- index: request is small; job_pkey, waiting_pkey
select r.id, r.reason, r.owner
from :schema.request r
where r.action = 'cancel'
  and (exists (select from :schema.waiting w where w.id = r.id) or exists (select from :schema.job j where j.id = r.id and j.state = 0))
limit 100
