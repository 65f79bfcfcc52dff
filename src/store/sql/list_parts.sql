-- The jobs of a fanned-out iteration.
-- params: $1 root uuid
-- returns: job, in order of part; none: it was not fanned out
-- index: part_pkey
select job from :schema.part where root = $1 order by part
