-- What a deploy waited for is over: from now on its hold lives by itself. Twice is once: whoever lost the answer asks again. After
-- lock_gate.sql and before settle_holds.sql, in the same transaction.
-- params: $1 number int, $2 hold ms float8, $3 heard ms real (until every worker had answered), $4 report json
-- returns: one row if it holds: expires_at
-- index: deploy_pkey
update :schema.live_deploy
set state = 'held', passed_at = coalesce(passed_at, clock_timestamp()),
  expires_at = case state when 'held' then expires_at else clock_timestamp() + $2::float8 * interval '1 ms' end, heard_ms = $3, report = $4
where number = $1 and state in ('preparing', 'held')
returning expires_at
