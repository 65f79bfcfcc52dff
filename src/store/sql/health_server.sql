-- The server, as `holdfast doctor` sees it. Reads only.
-- returns: one row: version (its number, 180004), version_text, now, replica, max_connections, reserved, used (sessions there are),
--          sees_all (may this role see the sessions of others?), autovacuum
select current_setting('server_version_num')::int as version, current_setting('server_version') as version_text, clock_timestamp() as now,
  pg_is_in_recovery() as replica, current_setting('max_connections')::int as max_connections,
  current_setting('superuser_reserved_connections')::int as reserved,
  (select count(*)::int from pg_catalog.pg_stat_activity where backend_type = 'client backend') as used,
  pg_has_role(current_user, 'pg_read_all_stats', 'usage') as sees_all, current_setting('autovacuum')::boolean as autovacuum
