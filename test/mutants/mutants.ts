/** Tests that may catch a mutant: folders under `test/`; the contract is the one test of the statement. */
export type Suite = 'model' | 'contract' | 'races' | 'kill'

export interface Mutant {
  /** A file of `src/store/sql/`. */
  readonly statement: string
  /** What is taken away, in words. */
  readonly without: string
  /** A part of the statement that stands in it once. */
  readonly text: string
  readonly becomes: string
  /** What must catch it, each of these by itself. */
  readonly caughtBy: readonly Suite[]
}

const FENCE: readonly Suite[] = ['model', 'contract', 'kill']
const MODEL: readonly Suite[] = ['model', 'contract']

/** A fence of (id, run, state), one predicate at a time. A parameter that is left without a use needs a type all the same. */
function fence(statement: string, text: string, run: string, state: string): Mutant[] {
  const unfenced = text.replace(run, run.includes('$2') ? ' and $2::int is not null' : '')
  return [
    { statement, without: 'run', text, becomes: unfenced, caughtBy: FENCE },
    { statement, without: 'state', text, becomes: text.replace(state, ''), caughtBy: FENCE },
  ]
}

function drop(statement: string, without: string, text: string, becomes = '', caughtBy = MODEL): Mutant {
  return { statement, without, text, becomes, caughtBy }
}

const BATCH = 'where j.ctid = k.tid and j.run = k.run and j.state'
const PLACE = 'where j.ctid = k.tid and j.id = k.id and j.run = k.run and j.state = 1'
const SINGLE = 'where j.id = $1 and j.run = $2 and j.state > 0'
const HELD = 'where id = $1 and run = $2 and state > 0 for share'

/**
 * One predicate less each. Where two guard the same (the worker and the run of a ledger row), they go together: alone, either is
 * redundant by intention, and nothing could notice.
 */
export const MUTANTS: readonly Mutant[] = [
  ...fence('complete', PLACE, ' and j.run = k.run', ' and j.state = 1'),
  drop('complete', 'id', PLACE, PLACE.replace(' and j.id = k.id', ''), ['contract']),
  drop('complete', 'all before their claims', ' and (select count(*) from ended) = cardinality($1::uuid[])', '', [
    'contract',
  ]),
  ...fence('finish', `${BATCH} > 0`, ' and j.run = k.run', ' and j.state > 0'),
  ...fence('finish_tx', SINGLE, ' and j.run = $2', ' and j.state > 0'),
  ...fence('delay', `${BATCH} = 1`, ' and j.run = k.run', ' and j.state = 1'),
  ...fence('hand_back', `${BATCH} = 1`, ' and j.run = k.run', ' and j.state = 1'),
  ...fence('start', `${BATCH} = 1`, ' and j.run = k.run', ' and j.state = 1'),
  ...fence('save_checkpoint', HELD, ' and run = $2', ' and state > 0'),
  ...fence('save_checkpoint_tx', HELD, ' and run = $2', ' and state > 0'),
  drop('adopt', 'run', ' and run = $2', ' and $2::int is not null'),
  drop('adopt', 'state', ' and state > 0'),
  ...fence('load_checkpoint', SINGLE, ' and j.run = $2', ' and j.state > 0'),
  ...fence('fan_out', HELD, ' and run = $2', ' and state > 0'),

  drop('save_checkpoint', 'never backwards', '  where c.items <= excluded.items\n'),
  drop('save_checkpoint_tx', 'never backwards', '  where c.items <= excluded.items\n'),
  drop(
    'save_checkpoint_tx',
    'nonce',
    "current_setting('holdfast.nonce', true) is distinct from $7",
    'false and $7::text is null',
    ['contract', 'races'],
  ),
  drop(
    'finish_tx',
    'nonce',
    "current_setting('holdfast.nonce', true) is distinct from $5",
    'false and $5::text is null',
    ['contract', 'races'],
  ),

  drop('claim', 'alive', 'key = $1 and alive and claiming', 'key = $1 and claiming', ['contract']),
  drop('claim', 'claiming', 'key = $1 and alive and claiming', 'key = $1 and alive', ['contract']),
  drop('claim', 'alive and claiming', 'key = $1 and alive and claiming', 'key = $1'),
  drop('claim', 'for share', ' and claiming for share', ' and claiming', ['races']),
  drop('claim', 'ready', '\n      and j.state = 0 and case', '\n      and case'),
  drop(
    'claim',
    'known tasks',
    " and case when j.version = 1 then j.task else j.task || '@' || j.version end = any($4::text[])",
    ' and $4::text[] is not null',
  ),
  drop('claim', 'versions', "case when j.version = 1 then j.task else j.task || '@' || j.version end", 'j.task'),
  drop('claim', 'a new run', 'run = j.run + 1', 'run = j.run', FENCE),

  drop('release', 'revoked', ' and not alive'),
  drop('release', 'run and worker', ' and j.run = k.run and j.state > 0 and j.worker = $1', ' and j.state > 0', FENCE),
  drop('release', 'progress clears crashes', 'case when held.moved = j.run then 0 else j.crashes end', 'j.crashes', [
    'contract',
  ]),
  drop('hand_back', 'progress clears crashes', 'case when k.moved = j.run then 0 else j.crashes end', 'j.crashes', [
    'contract',
  ]),
  drop('delay', 'progress clears crashes', 'case when k.moved = j.run then 0 else j.crashes end', 'j.crashes'),
  drop('delay', 'what got further goes on', ' and k.moved = j.run then 12', ' then 12'),
  drop('retry_job', 'trust', 'case when state = 14 then 0 else crashes end', 'crashes', ['contract']),
  drop(
    'save_checkpoint',
    'more items',
    'moved = case when excluded.moved > 0 and excluded.items > c.items',
    'moved = case when excluded.moved > 0',
    ['contract'],
  ),
  drop('save_tails', 'run', ' and run = k.run and state > 0', ' and state > 0', ['contract']),
  drop('save_tails', 'state', ' and run = k.run and state > 0', ' and run = k.run', ['contract']),
  drop('save_tails', 'the later write', '\n  where t.said < excluded.said', '', ['contract']),
  drop('read_claim', 'run and worker', ' and j.run = k.run and j.state = 1 and j.worker = $1', ' and j.state = 1'),
  drop('close_claims', 'nothing held', 'k.run and j.state > 0', 'k.run and j.state > 90'),
  drop(
    'forget_released',
    'revoked',
    'where l.worker = $1 and w.key = $1 and not w.alive\n    and',
    'where l.worker = $1 and w.key = $1\n    and',
  ),
  drop('forget_released', 'nothing held', 'k.run and j.state > 0', 'k.run and j.state > 90'),
  drop('forget_released', 'no claim left', ' and remaining.rows = 0', '', ['contract', 'races']),
  drop('renew', 'alive', ' and w.alive'),
  drop('revoke_worker', 'lease run out', '($2 or not w.alive or exists', '(true or $2 or exists'),
  drop('revoke_worker', 'once', ' and (select w.alive from :schema.worker w where w.key = $1)', '', ['contract']),
  drop('revoke_worker', 'only whom it revoked', ' and exists (select from revoked)', '', ['contract']),
  drop('expired_workers', 'revoked ones', ' or not w.alive'),
  drop('read_start', 'run', 'where j.run = k.run and', 'where'),
  drop('read_start', 'started', 'j.state = 2 as started', 'true as started'),

  drop('cancel', 'ready', ' and j.state = 0 returning', ' returning'),
  drop('pause_job', 'ready', ' and j.state = 0 returning', ' returning'),
  drop('resume_job', 'paused', ' and w.state = 13'),
  drop('retry_job', 'not completed', ' and h.state > 20'),
  drop(
    'retry_job',
    'a new job',
    'case when at_most_once then $2::uuid else id end',
    'case when at_most_once then id else coalesce(id, $2::uuid) end',
  ),
  drop('promote', 'due', ' and due_at <= statement_timestamp()'),
  drop('lift_stragglers', 'ready', '\n      and j.state = 0 and case', '\n      and case'),
  drop('lift_stragglers', 'below the mark', ' and j.position <= m.position'),
  drop('raise_floor', 'this very tick', 'h.swept_at = now.swept_at and ', '', ['races']),
  drop('raise_floor', 'again', " and h.revoked_at + interval '30 s' < now.at", '', ['contract']),
  drop(
    'raise_floor',
    'settled',
    'floor = case when now.settled then h.sampled_position else h.floor end',
    'floor = coalesce(h.sampled_position, h.floor)',
    ['races'],
  ),
]
