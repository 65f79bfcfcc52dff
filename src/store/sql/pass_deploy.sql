-- What a deploy waited for is over: from now on its hold lives by itself.
-- params: $1 number int, $2 hold ms float8, $3 heard ms real (until every worker had answered), $4 report json
-- returns: one row if it was still holding: expires_at
-- index: deploy_pkey
update :schema.deploy
set state = 'held', passed_at = clock_timestamp(), expires_at = clock_timestamp() + $2::float8 * interval '1 ms', heard_ms = $3, report = $4
where number = $1 and state = 'preparing' and expires_at > clock_timestamp()
returning expires_at
