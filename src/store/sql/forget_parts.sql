-- Forgets the parts of an iteration whose last one completes.
-- params: $1 root uuid
delete from :schema.part where root = $1
