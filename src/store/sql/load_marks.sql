-- The published low-water marks for one set of tasks. A mark above the sequence belongs to a database that was restored: it is ignored.
-- params: $1 accepts text, $2 queues text[]
-- returns: queue, lane, priority, position
select m.queue, m.lane, m.priority, m.position
from :schema.mark m
where m.accepts = $1 and m.queue = any($2::text[]) and m.position <= (select last_value from :schema.position)
