-- The last word of a worker that exits with work it could not stop: whoever sweeps next takes it over, after the process is gone.
-- params: $1 worker int, $2 ms float8 from now
update :schema.lease set expires_at = least(expires_at, clock_timestamp() + $2::float8 * interval '1 ms') where worker = $1
