-- kind: additive
-- The first schema. A job is one row in exactly one of three places: `job` (ready or running), `waiting` (for a time, a person or a
-- worker that knows it), `history` (ended). Everything else hangs on the job's id and is fenced by its run.

-- Workers: one row for each start of a worker process, never reused. Claims take FOR SHARE on it, so that whoever clears `alive` or
-- `claiming` waits for the claims in flight and knows that none comes after. The lease lives in a table of its own: its renewals
-- must not conflict with those locks.
-- `tasks`: what its claims take. `slots`: how many jobs it runs at the same time. `manifest`: what it says of its code, for people and for `deploy plan`; no claim reads it.
-- `deploy`: the one that holds it, so that it does not claim; `heard`: the last one that it has answered to. `token`: the deploy whose
-- new code it says it is. `lost`: its rights were taken because its lease ran out: its process may be alive all the same.
create table :schema.worker (
  key         integer generated always as identity primary key,
  name        text not null,
  app         text not null default '',
  build       text not null,
  token       text,
  release     text not null,
  tasks       text[] not null,
  queues      text[] not null,
  slots       integer not null default 1,
  manifest    json not null,
  started_at  timestamptz not null default clock_timestamp(),
  ended_at    timestamptz,
  alive       boolean not null default true,
  lost        boolean not null default false,
  claiming    boolean not null default true,
  deploy      integer,
  heard       integer,
  heard_at    timestamptz
);
create index worker_alive on :schema.worker (key) where alive;

-- Deploys: who holds which workers, why, and until when. 'preparing': a command waits for work to end and renews `expires_at`; 'held': the
-- way is free, until `expires_at`; 'migrating': the old code must not run again, whatever the clock says. Ended: 'finished', 'aborted', 'expired'.
-- The scope is everything that these do not narrow: apps, queues (workers that serve one of them), workers (patterns of LIKE).
-- `build`: of the new code, whose workers are not held; null: the old code has the same, or nobody said.
create table :schema.deploy (
  number       integer generated always as identity primary key,
  state        text not null default 'preparing' check (state in ('preparing', 'held', 'migrating', 'finished', 'aborted', 'expired')),
  owner        text not null,
  reason       text not null,
  build        text,
  token        text not null,
  apps         text[],
  queues       text[],
  workers      text[],
  require      text not null check (require in ('interruptible', 'idle')),
  started_at   timestamptz not null default clock_timestamp(),
  expires_at   timestamptz not null,
  heard_ms     real,
  passed_at    timestamptz,
  migrating_at timestamptz,
  ended_at     timestamptz,
  why          text,
  report       json
);
create index deploy_live on :schema.deploy (number) where ended_at is null;

-- Locked by whoever makes or ends a hold (FOR UPDATE) and by whoever looks whether it is held (FOR SHARE): a worker that registers now
-- is either seen by a deploy that begins now, or sees it.
create table :schema.gate (
  one  boolean primary key default true check (one)
);
insert into :schema.gate default values;

-- Deploys that hold now. A migration has no time: the old code must not run again.
create view :schema.live_deploy as
select * from :schema.deploy where ended_at is null and (state = 'migrating' or expires_at > clock_timestamp());

-- Deploys whose time has run out, and of which nobody has written it down yet: whoever looks goes by the clock.
create view :schema.expired_deploy as
select number, expires_at, case state when 'preparing' then 'the command that prepared it vanished' else 'its hold ran out' end as why
from :schema.deploy where ended_at is null and state <> 'migrating' and expires_at <= clock_timestamp();

-- Which live workers are held, by the first deploy that has them in its scope.
create view :schema.held as
select w.key as worker, d.number as deploy
from :schema.worker w
cross join lateral (
  select number from :schema.live_deploy d
  where (d.apps is null or w.app = any(d.apps))
    and (d.queues is null or w.queues && d.queues)
    and (d.workers is null or w.name like any(d.workers))
    and w.build is distinct from d.build and w.token is distinct from d.token
  order by number
  limit 1
) d
where w.alive;

create table :schema.lease (
  worker      integer primary key,
  expires_at  timestamptz not null,
  renewed_at  timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

-- Claim order is (queue, lane, priority, position). The position is drawn when a job becomes ready, by the database.
create sequence :schema.position as bigint;

-- Ready and running jobs. Nothing that changes during a run is indexed, and no predicate names it: claims stay HOT updates.
-- A claimed row is longer than a ready one (worker, started_at): at fillfactor 50 a page that is claimed whole overflows (HOT share 0.89).
-- state: 0 ready, 1 running, 2 running and started (at-most-once: never given back). lane: 0 front (handed back), 1 main.
create table :schema.job (
  id             uuid primary key,
  position       bigint not null default nextval(':schema.position'),
  created_at     timestamptz not null default clock_timestamp(),
  started_at     timestamptz,
  expires_at     timestamptz,
  run            integer not null default 0,
  worker         integer,
  interruptions  integer not null default 0,
  losses         integer not null default 0,
  failures       smallint not null default 0,
  crashes        smallint not null default 0,
  state          smallint not null default 0,
  lane           smallint not null default 1,
  priority       smallint not null default 5,
  version        smallint not null default 1,
  queue          text collate "C" not null,
  task           text collate "C" not null,
  input          json
) with (fillfactor = 45, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_analyze_scale_factor = 0.05);
create index job_ready on :schema.job (queue, lane, priority, position);

-- Jobs that nobody may claim now. state: 10 scheduled, 11 retrying, 12 snoozed, 13 paused, 14 parked. Each has a `due_at`: no wait is
-- for ever, and no pause can be forgotten.
create table :schema.waiting (
  id             uuid primary key,
  due_at         timestamptz not null,
  created_at     timestamptz not null,
  expires_at     timestamptz,
  run            integer not null,
  interruptions  integer not null,
  losses         integer not null,
  failures       smallint not null,
  crashes        smallint not null,
  state          smallint not null,
  priority       smallint not null,
  version        smallint not null,
  queue          text collate "C" not null,
  task           text collate "C" not null,
  input          json,
  reason         text
);
create index waiting_due on :schema.waiting (due_at);

-- One row a claim: which jobs and which runs a worker took with it. A dead worker is emptied from here (0.8 ms at 1,000,000 jobs, a
-- scan of `job` took 84 to 470), and a claim whose answer was lost is read back from here.
create table :schema.ledger (
  worker  integer not null,
  claim   bigint not null,
  ids     uuid[] not null,
  runs    integer[] not null,
  primary key (worker, claim)
);
-- 500 ids are over the size from which a value is compressed: that was an eighth of a claim's time, and ids hardly get smaller by it.
alter table :schema.ledger alter column ids set storage external;

-- Saved progress of iterations. It lives until the job ends; a failed job's cursor goes to `history`, and comes back on a manual retry.
-- `moved`: the last run that moved the cursor on (0: none; a plain task's progress has no cursor to go on from), and how often the job had
-- been interrupted then: what came after moved nothing.
create table :schema.checkpoint (
  id          uuid primary key,
  run         integer not null,
  items       bigint not null,
  total       bigint,
  rate        real,
  cursor      json,
  moved       integer not null default 0,
  interruptions  integer not null default 0,
  updated_at  timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

-- What people asked of a job that runs: 'cancel' or 'pause'. The run sees it at its next checkpoint or renewal.
create table :schema.request (
  id          uuid primary key,
  action      text not null check (action in ('cancel', 'pause')),
  reason      text not null,
  owner       text not null,
  until       timestamptz,
  created_at  timestamptz not null default clock_timestamp()
);

-- Ended jobs, by the day they ended. Days are dropped whole, never vacuumed. Ids are time-ordered (UUIDv7), so a BRIN finds one.
-- state: 20 completed, 21 failed, 22 cancelled, 23 expired, 24 lost, 25 interrupted.
create table :schema.history (
  id             uuid not null,
  created_at     timestamptz not null,
  started_at     timestamptz,
  ended_at       timestamptz not null default clock_timestamp(),
  run            integer not null,
  worker         integer,
  interruptions  integer not null,
  losses         integer not null,
  failures       smallint not null,
  crashes        smallint not null,
  state          smallint not null,
  priority       smallint not null,
  version        smallint not null,
  at_most_once   boolean not null default false,
  queue          text collate "C" not null,
  task           text collate "C" not null,
  input          json,
  result         json,
  error          json,
  items          bigint,
  total          bigint,
  cursor         json
) partition by range (ended_at);
create index history_id on :schema.history using brin (id uuid_minmax_multi_ops) with (pages_per_range = 16);
create table :schema.history_default partition of :schema.history default;

-- Runs that ended otherwise than by completing their job: the story of a job, told by `jobs show`. `error`: what was thrown, or what its
-- process died of; `items`: how far the job was then.
create table :schema.trail (
  job         uuid not null,
  run         integer not null,
  worker      integer,
  outcome     text not null,
  reason      text,
  error       json,
  items       bigint,
  started_at  timestamptz,
  ended_at    timestamptz not null default clock_timestamp()
) partition by range (ended_at);
create index trail_job on :schema.trail (job);
create table :schema.trail_default partition of :schema.trail default;

-- The last log lines of runs: what a worker that dies leaves behind. `said`: how many lines the run has logged in all. A run's day is that
-- of its start, so that each write finds the one before.
create table :schema.tail (
  job         uuid not null,
  run         integer not null,
  started_at  timestamptz not null,
  saved_at    timestamptz not null default clock_timestamp(),
  said        integer not null,
  lines       json not null,
  primary key (job, run, started_at)
) partition by range (started_at);
create table :schema.tail_default partition of :schema.tail default;

-- Partitions of one iteration that was fanned out. `root` is the job that was enqueued; each part is a job of its own.
create table :schema.part (
  root      uuid not null,
  part      smallint not null,
  parts     smallint not null,
  job       uuid not null,
  items     bigint not null default 0,
  finished  boolean not null default false,
  created_at  timestamptz not null default clock_timestamp(),
  primary key (root, part)
);
create unique index part_job on :schema.part (job);

-- Low-water marks: all ready jobs of a band up to `position` that these tasks cover have been claimed. Workers publish theirs so that
-- a new worker does not start by reading the dead rows of a day. They only rise.
create table :schema.mark (
  queue       text collate "C" not null,
  accepts     text not null,
  lane        smallint not null,
  priority    smallint not null,
  position    bigint not null,
  tasks       text[] not null,
  updated_at  timestamptz not null default clock_timestamp(),
  primary key (queue, accepts, lane, priority)
) with (fillfactor = 50);

-- Up to `floor`, every position has been committed or rolled back: nothing late can appear there. Above it, the sweep looks for ready
-- jobs that ended up below a mark. `revoked_at`: when a worker's rights were last taken, whose claims may roll back; `deep`: the last sweep
-- began at zero for that. See docs/decisions/0005.
create table :schema.horizon (
  one               boolean primary key default true check (one),
  floor             bigint not null default 0,
  sampled_position  bigint,
  sampled_xid       xid8,
  next_position     bigint not null default 0,
  swept_at          timestamptz not null default '-infinity',
  revoked_at        timestamptz,
  deep              boolean not null default false,
  release           text
);
insert into :schema.horizon default values;

-- Called by a statement whose fence did not hold, inside a transaction that must not commit.
create function :schema.refuse(code text, message text) returns boolean language plpgsql as $$
begin
  raise exception '%', message using errcode = code;
end $$;
