-- Publishes a worker's low-water marks. They only rise.
-- params: $1 accepts text, $2 tasks text[], $3 queues text[], $4 lanes smallint[], $5 priorities smallint[], $6 positions bigint[]
insert into :schema.mark as m (queue, accepts, lane, priority, position, tasks)
select k.queue, $1, k.lane, k.priority, k.position, $2::text[]
from unnest($3::text[], $4::smallint[], $5::smallint[], $6::bigint[]) as k(queue, lane, priority, position)
order by 1, 3, 4
on conflict (queue, accepts, lane, priority) do update
set position = excluded.position, updated_at = clock_timestamp()
where m.position < excluded.position
