import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export interface ShellOptions {
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
}

/** A command line that runs, with all that it starts. */
export class Command {
  readonly #child: ChildProcess
  readonly lines: string[] = []
  /** Its exit code, when it is gone and all its output is read; 137 and the like after a signal. */
  readonly ended: Promise<number>

  constructor(line: string, { cwd, env }: ShellOptions, onLine: (line: string) => void) {
    // A group of its own: a signal reaches whatever the line has started, and Ctrl-C reaches the story alone.
    const child = spawn('/bin/sh', ['-c', line], { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    for (const input of [child.stdout, child.stderr]) {
      createInterface(input).on('line', (text) => {
        this.lines.push(text)
        onLine(text)
      })
    }
    this.ended = once(child, 'close').then(([code, signal]) => code ?? (signal === 'SIGKILL' ? 137 : 143))
  }

  get out(): string {
    return this.lines.join('\n')
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  kill(): void {
    if (this.#child.pid !== undefined && this.running) killGroup(this.#child.pid)
  }
}

export function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has left meanwhile.
  }
}
