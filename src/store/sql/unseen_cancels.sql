-- Jobs that were to be cancelled while they ran, and whose run came to another end before it saw that: they wait, or are ready again.
-- params: none
-- returns: id, reason, owner; at most 100
-- index: request is small; job_pkey, waiting_pkey
select r.id, r.reason, r.owner
from :schema.request r
left join lateral (select state from :schema.job where id = r.id limit 1) as j on true
left join lateral (select state from :schema.waiting where id = r.id limit 1) as w on true
where r.action = 'cancel' and (j.state = 0 or w.state is not null)
limit 100
