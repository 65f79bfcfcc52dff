-- Whether a worker has to look at its hold: it is held, or was held and has not heard of it.
-- params: $1 worker int
-- returns: one row: held boolean; none: the worker is unknown
-- index: worker_pkey
select not w.claiming or w.deploy is not null as held from :schema.worker w where w.key = $1
