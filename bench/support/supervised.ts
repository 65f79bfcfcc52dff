import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { now } from './clock.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const APP = fileURLToPath(new URL('../programs/runtime-app.ts', import.meta.url))

export interface Line {
  readonly msg: string
  readonly event?: string
  readonly [key: string]: unknown
}

export interface Sighting {
  readonly what: string
  readonly job: string
  readonly run: number
  readonly at: number
  readonly pid: number
}

/** `holdfast work`, as a user starts it. */
export class Supervised {
  readonly lines: Line[] = []
  readonly exited: Promise<number | null>
  readonly #child: ChildProcess

  /** `alone`: one worker process without its supervisor. */
  constructor(env: Readonly<Record<string, string>>, args: readonly string[] = [], alone = false) {
    const command = [MAIN, 'work', '--json', '--config', APP, ...args, ...(alone ? ['--child'] : [])]
    this.#child = spawn(process.execPath, ['--no-warnings', ...command], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
    })
    this.exited = new Promise((resolve) => this.#child.once('close', resolve))
    if (this.#child.stdout) createInterface(this.#child.stdout).on('line', (line) => this.#hear(line))
  }

  /** The process ids of its worker processes so far, the oldest first. */
  get workers(): number[] {
    return this.lines.filter(({ event }) => event === 'started').map((line) => Number(line['pid']))
  }

  async started(count = 1): Promise<number> {
    await until(() => this.workers.length >= count, 'a worker process starts')
    return this.workers[count - 1] ?? 0
  }

  /** When it was sent. */
  signal(signal: NodeJS.Signals): number {
    const at = now()
    this.#child.kill(signal)
    return at
  }

  #hear(line: string): void {
    if (line.startsWith('{')) this.lines.push(JSON.parse(line) as Line)
  }
}

export function sightings(witness: string): Sighting[] {
  const lines = readFileSync(witness, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as Sighting)
}

/** Waits, for a minute at most. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = now() + 60_000; now() < end; await sleep(5)) if (await isSo()) return
  throw new Error(`Waited for a minute in vain until ${what}`)
}
