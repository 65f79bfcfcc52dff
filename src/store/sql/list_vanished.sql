-- Workers that a deploy held and that stopped answering since: their rights were taken, and their processes may be alive.
-- params: $1 deploy int
-- returns: key, name
-- index: none: reads the workers of the last days
select w.key, w.name from :schema.worker w where w.deploy = $1 and w.lost order by w.key
