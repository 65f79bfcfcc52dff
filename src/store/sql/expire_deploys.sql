-- Deploys whose hold has run out are over. A matter of order: whoever looks goes by the clock.
-- returns: number of each that this ended
-- index: deploy_live: few rows
update :schema.deploy d
set state = 'expired', why = e.why, ended_at = e.expires_at
from :schema.expired_deploy e
where d.number = e.number
returning d.number
