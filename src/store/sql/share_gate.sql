-- Waits for a deploy that is just beginning or ending, and keeps the next one out until this transaction ends. In a statement of its own:
-- only a later one sees what such a deploy wrote.
-- returns: one row
select one from :schema.gate for share
