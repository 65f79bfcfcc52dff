import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { killGroup } from './shell.ts'

/** A section of supervisord's configuration. Its log is `<name>.log`. */
export interface Program {
  readonly name: string
  readonly command: string
  readonly directory: string
  readonly stopwaitsecs: number
}

const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
const STAND_IN = new URL(`./stand-in.${EXTENSION}`, import.meta.url).pathname

/** supervisord where it is installed, else a stand-in of ours that stops programs in the same way. Both are steered by `supervisorctl`. */
export class ProcessControl {
  readonly kind: 'supervisord' | 'stand-in'
  readonly #folder: string
  readonly #programs: readonly Program[]
  #child: ChildProcess | undefined

  constructor(folder: string, programs: readonly Program[]) {
    this.#folder = folder
    this.#programs = programs
    this.kind = which('supervisord') && which('supervisorctl') ? 'supervisord' : 'stand-in'
  }

  get #config(): string {
    return path.join(this.#folder, 'supervisord.conf')
  }

  get #log(): string {
    return path.join(this.#folder, 'supervisord.log')
  }

  /** What it is told of a program, for the reader. */
  static section({ name, command, directory, stopwaitsecs }: Program): string[] {
    return [
      `[program:${name}]`,
      `command=${command}`,
      `directory=${directory}`,
      `stopwaitsecs=${stopwaitsecs}`,
      'stopasgroup=true',
      'killasgroup=true',
    ]
  }

  /** @param bin a folder of the PATH of commands */
  async start(bin: string, env: NodeJS.ProcessEnv): Promise<void> {
    const [serve, control] = this.kind === 'supervisord' ? await this.#real() : await this.#standIn()
    await writeFile(path.join(bin, 'supervisorctl'), `#!/bin/sh\nexec ${control} "$@"\n`, { mode: 0o755 })
    // Ends with this process, however that ends: then the pipe closes.
    this.#child = spawn('/bin/sh', ['-c', `${serve} & read _; kill $!; wait`], {
      cwd: this.#folder,
      env,
      detached: true,
      stdio: ['pipe', 'ignore', 'inherit'],
    })
  }

  async #real(): Promise<[serve: string, control: string]> {
    const socket = path.join(this.#folder, 's.sock')
    const common = [
      '[supervisord]',
      'nodaemon=true',
      'silent=true',
      ...(process.getuid?.() === 0 ? ['user=root'] : []),
      `logfile=${this.#log}`,
      `pidfile=${path.join(this.#folder, 'supervisord.pid')}`,
      '[unix_http_server]',
      `file=${socket}`,
      '[supervisorctl]',
      `serverurl=unix://${socket}`,
      '[rpcinterface:supervisor]',
      'supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface',
    ]
    const programs = this.#programs.flatMap((program) => [
      ...ProcessControl.section(program),
      `stdout_logfile=${path.join(this.#folder, `${program.name}.log`)}`,
      'redirect_stderr=true',
      'stdout_logfile_maxbytes=0',
    ])
    await writeFile(this.#config, `${[...common, ...programs].join('\n')}\n`)
    return [`exec ${which('supervisord')} -c '${this.#config}'`, `${which('supervisorctl')} -c '${this.#config}'`]
  }

  async #standIn(): Promise<[serve: string, control: string]> {
    await writeFile(this.#config, JSON.stringify({ folder: this.#folder, programs: this.#programs }))
    const program = `'${process.execPath}' '${STAND_IN}'`
    return [`exec ${program} serve '${this.#config}'`, `${program} control '${this.#config}'`]
  }

  /** At once, with all programs. May be called at any moment, and more than once. */
  kill(): void {
    const pid = this.#child?.pid
    if (pid === undefined) return
    this.#child = undefined
    killGroup(pid)
    if (!existsSync(this.#log)) return
    const started = readFileSync(this.#log, 'utf8').matchAll(/spawned: '(.*)' with pid (\d+)/g)
    // Each is the leader of a group.
    const last = new Map([...started].map(([, name, leader]) => [name, Number(leader)]))
    for (const leader of last.values()) killGroup(leader)
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const gone = once(child, 'exit')
    this.kill()
    if (child.exitCode === null && child.signalCode === null) await gone
  }
}

/** Where a program is; undefined where it is not installed. */
function which(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter).filter((folder) => path.isAbsolute(folder))
  return folders
    .map((folder) => path.join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}
