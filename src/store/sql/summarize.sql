-- Brings the BRINs of the history up to date, so that a job that ended a minute ago is found by its id without reading the whole day.
-- (Their own `autosummarize` drops requests above 10,000 jobs/s, and logs each one.)
-- returns: ranges, summarized now
select coalesce(sum(brin_summarize_new_values(i.indexrelid)), 0)::int as ranges
from pg_catalog.pg_inherits h
join pg_catalog.pg_index i on i.indrelid = h.inhrelid
join pg_catalog.pg_class c on c.oid = i.indexrelid
join pg_catalog.pg_am a on a.oid = c.relam and a.amname = 'brin'
where h.inhparent = ':schema.history'::regclass
