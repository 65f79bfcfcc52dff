-- Locks the parts of a fanned-out iteration and counts what is left, so that exactly one part finds itself the last.
-- params: $1 root uuid
-- returns: a row a part: job, finished, items
-- index: part_pkey; locks in order of part
select job, finished, items::float8 as items from :schema.part where root = $1 order by part for update
