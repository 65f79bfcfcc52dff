-- Deploys whose hold has run out are over. A matter of order: whoever looks goes by the clock.
-- returns: number of each that this ended
-- index: deploy_live: few rows
update :schema.deploy
set state = 'aborted', why = case state when 'preparing' then 'the command that prepared it vanished' else 'its hold ran out' end, ended_at = expires_at
where ended_at is null and state <> 'migrating' and expires_at <= clock_timestamp()
returning number
