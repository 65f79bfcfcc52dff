-- An iteration goes on under newer code: the version of its job rises, and its input and cursor with it. All at once, so that whoever claims
-- it next takes all of it, and older code takes none of it.
-- params: $1 id uuid, $2 run int, $3 version smallint, $4 input json (as text; null: none), $5 cursor json (as text; null: as it is)
-- returns: one row if the run holds the job
-- fence: id, run, state > 0
-- index: job_pkey, checkpoint_pkey
with adopted as (
  update :schema.job set version = $3, input = $4::text::json
  where id = $1 and run = $2 and state > 0
  returning id
), moved as (
  update :schema.checkpoint c set cursor = $5::text::json from adopted where c.id = adopted.id and $5::text is not null
)
select id from adopted
