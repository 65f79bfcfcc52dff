import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Database } from '../../store/db.ts'
import { type Deploy, listDeploys } from '../../store/deploys.ts'
import { cleanEnvironment } from '../fleet.ts'
import { anchor, setConstant } from '../releases.ts'
import { contracts, jobs } from './apps/contract.ts'
import { type Note, readNotes } from './notes.ts'
import { Command } from './shell.ts'
import { ProcessControl, type Program } from './supervisor.ts'

export interface StageOptions {
  readonly folder: string
  /** Of the database. */
  readonly url: string
  readonly signal: AbortSignal
  readonly write: (line: string) => void
}

/** What the app of a release does otherwise than another one's. */
export interface Settings {
  readonly itemMs?: number
  readonly broken?: boolean
  readonly oldColumn?: boolean
}

/** What a story claims, and whether it was so. */
export interface Fact {
  readonly what: string
  readonly holds: boolean
}

const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
const source = (file: string) => new URL(`./${file}.${EXTENSION}`, import.meta.url)
const START = (release: number) => `HOLDFAST_GRACE=600s HOLDFAST_BUILD=release-${release} exec holdfast work`
const POLL_MS = 20
const PATIENCE_MS = 60_000
/** No command of a story takes nearly as long. */
const MOST_MS = 5 * 60_000

/** Something that should have come did not: the story cannot go on. */
export class InVain extends Error {}

/** Where a story plays: a database, the releases of a shop, its workers, a shell. Whatever runs in it ends with `kill`. */
export class Stage {
  readonly folder: string
  readonly db: Database
  readonly facts: Fact[] = []
  /** The shop's own migration: drops a column. */
  readonly migration = `drop-old-total.${EXTENSION}`
  readonly #options: StageOptions
  readonly #client: ReturnType<typeof jobs.connect>
  readonly #commands = new Set<Command>()
  readonly #env: NodeJS.ProcessEnv
  #control: ProcessControl | undefined
  #step = 0

  constructor(options: StageOptions) {
    const { folder, url } = options
    this.folder = folder
    this.#options = options
    this.db = new Database({ url, schema: 'holdfast', connections: 4 })
    this.#client = jobs.connect({ database: url })
    const clean = cleanEnvironment()
    this.#env = {
      ...clean,
      PATH: `${this.#path('bin')}${path.delimiter}${clean['PATH']}`,
      DATABASE_URL: url,
      HOLDFAST_DEMO_WITNESS: this.#witness,
      NO_COLOR: '1',
    }
  }

  get control(): ProcessControl['kind'] | undefined {
    return this.#control?.kind
  }

  /** Everything that the commands and programs of the story need: the first release is there, no program runs yet. */
  async build(): Promise<void> {
    await mkdir(this.#path('bin'), { recursive: true })
    await writeFile(this.#witness, '')
    const migrate = source('apps/migrate')
    await writeFile(this.#path(this.migration), anchor(await readFile(migrate, 'utf8'), migrate))
    await writeFile(this.#path('package.json'), '{ "name": "shop", "type": "module" }\n')
    const holdfast = `#!/bin/sh\nexec '${process.execPath}' '${source('../../cli/main').pathname}' "$@"\n`
    await writeFile(this.#path('bin/holdfast'), holdfast, { mode: 0o755 })
    // For `node` in a command line: the one that runs this.
    await symlink(process.execPath, this.#path('bin/node'))
    await this.silently('holdfast migrate')
  }

  // What is said

  /** A step of the story. */
  step(text: string): void {
    for (const line of ['', `${++this.#step}. ${text}`, '']) this.#options.write(line)
  }

  say(...lines: string[]): void {
    for (const line of lines) this.#options.write(`   ${line}`.trimEnd())
  }

  /** Something that is true or not, for the verdict. */
  fact(what: string, holds: boolean): void {
    this.facts.push({ what, holds })
  }

  // What is run

  /** A command line as a user would type it, and what it says. */
  async run(line: string): Promise<{ code: number; out: string }> {
    const command = this.start(line)
    const code = await this.#ended(command)
    this.say(`exit code ${code}`, '')
    return { code, out: command.out }
  }

  start(line: string): Command {
    this.say(`$ ${line}`)
    return this.#spawn(line, (text) => this.say(`    ${text}`.trimEnd()))
  }

  /** Stage work, of which the story does not tell. */
  async silently(line: string): Promise<void> {
    const command = this.#spawn(line, () => {})
    if ((await this.#ended(command)) !== 0) throw new Error(`${line}: ${command.out}`)
  }

  #spawn(line: string, onLine: (line: string) => void): Command {
    this.#options.signal.throwIfAborted()
    const command = new Command(line, { cwd: this.folder, env: this.#env }, onLine)
    this.#commands.add(command)
    return command
  }

  // The shop

  /** The code of a release, in `release-<n>`; the link `current` says which one is to run. */
  async release(number: number, settings: Settings = {}): Promise<void> {
    const folder = this.#path(`release-${number}`)
    await mkdir(folder)
    const code = await readFile(source('apps/shop'), 'utf8')
    const all = { release: number, itemMs: 50, broken: false, oldColumn: true, ...settings }
    await writeFile(
      path.join(folder, `holdfast.config.${EXTENSION}`),
      anchor(setConstant(code, 'SETTINGS', all), source('apps/shop')),
    )
    await writeFile(path.join(folder, 'start.sh'), `${START(number)}\n`)
    await writeFile(path.join(folder, 'package.json'), '{ "name": "shop", "type": "module" }\n')
    if (number === 1) await symlink('release-1', this.#path('current'))
  }

  /** A worker of whatever release is current when it starts. */
  worker(name: string): Program {
    return { name, command: 'sh start.sh', directory: this.#path('current'), stopwaitsecs: 600 }
  }

  /** A worker that knows nothing of Holdfast. */
  async plainWorker(name: string): Promise<Program> {
    const file = source('apps/plain-worker').pathname
    await writeFile(this.#path('plain.sh'), `exec node '${file}'\n`)
    return { name, command: 'sh plain.sh', directory: this.folder, stopwaitsecs: 10 }
  }

  /** Starts the programs, and says how. Resolves when the workers claim. */
  async supervise(programs: readonly Program[]): Promise<void> {
    const control = new ProcessControl(this.folder, programs)
    this.#control = control
    if (control.kind === 'supervisord')
      this.say('supervisord, the one that is installed here, starts the programs:', '')
    else this.say('supervisord is not installed: a stand-in stops and starts programs as it would.', '')
    // One of each kind.
    const kinds = programs.filter(({ command }, n) => programs.findIndex((each) => each.command === command) === n)
    for (const kind of kinds) this.say(...ProcessControl.section(kind).map((line) => `    ${this.#short(line)}`), '')
    this.say(`start.sh: ${START(1)}`, '')
    await control.start(this.#path('bin'), this.#env)
    const workers = programs.filter(({ command }) => command === 'sh start.sh')
    await this.workers('release-1', workers.length)
  }

  /** Waits until so many workers of a build live. */
  async workers(build: string, count: number): Promise<void> {
    const text = 'select count(*)::int as n from holdfast.worker where alive and build = $1'
    const living = async () => ((await this.db.query(text, [build])).rows[0] as { n: number }).n
    await this.until(`${count} workers of ${build} live`, async () => (await living()) === count)
  }

  /** As its web server does. */
  async enqueue(task: keyof typeof contracts, key: string, n = 0): Promise<string> {
    const { id } = await this.#client.enqueue(contracts[task], { key, n })
    return id
  }

  /** What workers say that they did, outside the database. */
  notes(task?: string, key?: string): Note[] {
    return readNotes(this.#witness).filter(
      (note) => (task === undefined || note.task === task) && (key === undefined || note.key === key),
    )
  }

  /** Waits for it, and gives it. */
  async noted(task: string, key: string, did: Note['did'], patience = PATIENCE_MS): Promise<Note> {
    const find = () => this.notes(task, key).find((note) => note.did === did)
    await this.until(`${task} ${key}: ${did}`, find, patience)
    return find() as Note
  }

  /** The newest first. */
  history(): Promise<Deploy[]> {
    return listDeploys(this.db, { most: 20 })
  }

  /** Of a job, as it stands. */
  async stateOf(id: string): Promise<'ready' | 'running' | 'ended' | 'waiting'> {
    const { rows } = await this.db.query('select state > 0 as running from holdfast.job where id = $1', [id])
    const [job] = rows as { running: boolean }[]
    if (job !== undefined) return job.running ? 'running' : 'ready'
    const ended = await this.db.query('select from holdfast.history where id = $1', [id])
    return ended.rows.length > 0 ? 'ended' : 'waiting'
  }

  /** An error that the log of a program has, waited for: what it says. */
  async alert(program: string, words: string): Promise<string> {
    const find = async () => {
      const lines = (await readFile(this.#path(`${program}.log`), 'utf8')).split('\n')
      return lines.find((line) => line.includes('"level":"error"') && line.includes(words))
    }
    await this.until(`${program}.log: ${words}`, find)
    return (JSON.parse((await find()) ?? '{}') as { msg: string }).msg
  }

  async until(what: string, is: () => unknown, patience = PATIENCE_MS): Promise<void> {
    const { signal } = this.#options
    for (const deadline = performance.now() + patience; !(await is()); ) {
      if (performance.now() > deadline) throw new InVain(`waited ${patience / 1_000} s in vain until ${what}`)
      await sleep(POLL_MS, undefined, { signal })
    }
  }

  #short(line: string): string {
    return line.replaceAll(`${this.folder}/`, '').replaceAll(this.folder, '.')
  }

  /** At once, whatever runs. */
  kill(): void {
    for (const command of this.#commands) command.kill()
    this.#control?.kill()
  }

  async close(): Promise<void> {
    this.kill()
    await this.#control?.stop()
    await Promise.all([this.#client.close(), this.db.close()])
  }

  get #witness(): string {
    return this.#path('witness.jsonl')
  }

  #path(name: string): string {
    return path.join(this.folder, name)
  }

  async #ended(command: Command): Promise<number> {
    const { signal } = this.#options
    const { promise, reject } = Promise.withResolvers<never>()
    const stop = () => reject(signal.reason)
    const late = () =>
      reject(new InVain(`waited ${MOST_MS / 1_000} s in vain for the end of a command: ${command.out}`))
    const timer = setTimeout(late, MOST_MS)
    signal.addEventListener('abort', stop)
    try {
      return await Promise.race([command.ended, promise])
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
    }
  }
}
