import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { cli, type Running, type Said, start } from './support.ts'

/** One worker with one queue; `paused` is a file. What runs is in the file `active`. */
const CELERY = `#!/bin/sh
case "$*" in
*active_queues*) if [ -e paused ]; then echo '{"w1@h": []}'; else echo '{"w1@h": [{"name": "mails"}]}'; fi ;;
*stats*) echo '{"w1@h": {"pid": 7, "uptime": 100}}' ;;
*cancel_consumer*) touch paused; echo '[]' ;;
*add_consumer*) [ -e stuck ] || rm -f paused; echo '[]' ;;
*acks_late*) echo '{"w1@h": ["sync [acks_late=True]", "report [acks_late=False]"]}' ;;
*reserved*|*scheduled*) echo '{"w1@h": []}' ;;
*active*) cat active ;;
esac
`

/** A folder with that `celery`, and the gate over it. */
export class Fake implements AsyncDisposable {
  readonly folder: string

  static async open(task?: string): Promise<Fake> {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-fleet-'))
    await writeFile(path.join(folder, 'celery'), CELERY)
    await chmod(path.join(folder, 'celery'), 0o755)
    const jobs = task === undefined ? [] : [{ id: 'c0ffee', name: task, time_start: Date.now() / 1_000 - 75 }]
    await writeFile(path.join(folder, 'active'), JSON.stringify({ 'w1@h': jobs }))
    return new Fake(folder)
  }

  private constructor(folder: string) {
    this.folder = folder
  }

  run(verb: string, ...args: readonly string[]): Promise<Said> {
    return cli(this.#words(verb, args), { cwd: this.folder })
  }

  /** What starts it comes before the command. */
  launched(launcher: readonly string[], verb: string, ...args: readonly string[]): Promise<Said> {
    return cli(this.#words(verb, args), { cwd: this.folder, launcher })
  }

  start(verb: string, ...args: readonly string[]): Running {
    return start(this.#words(verb, args), { cwd: this.folder })
  }

  #words(verb: string, args: readonly string[]): string[] {
    return ['deploy', verb, '--fleet', 'celery', '--celery', './celery -A proj', ...args]
  }

  get paused(): boolean {
    return existsSync(path.join(this.folder, 'paused'))
  }

  get state(): string {
    return path.join(this.folder, '.holdfast/deploy-celery.json')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.folder, { recursive: true, force: true })
  }
}
