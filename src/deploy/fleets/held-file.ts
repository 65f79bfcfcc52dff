import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HoldfastError } from '../../model/errors.ts'
import type { Fetching } from './fleet.ts'

/** What a gate has paused. These systems have no pause that ends by itself: whoever comes later must be able to end it. */
export interface HeldFleet {
  readonly system: string
  /** ISO time of the first pause. */
  readonly since: string
  /** `waiting`: its command is at it, or has left it behind. `held`: the gate was passed, and a deploy goes on. */
  readonly phase: 'waiting' | 'held'
  readonly owner: { readonly pid: number; readonly host: string; readonly name?: string }
  readonly queues: readonly Fetching[]
}

/** Between a look at the file and what is written there. Who holds it longer has died. */
const LOCK_MS = 5_000

/** A file, written before anything is paused, gone when everything fetches again. */
export class HeldFile {
  readonly path: string
  readonly #system: string
  readonly #owner: string
  #since: string | undefined

  /** `owner`: for people. */
  constructor(file: string, system: string, owner: string) {
    this.path = path.resolve(file)
    this.#system = system
    this.#owner = owner
  }

  /**
   * Takes the fleet for this command, before anything is asked of it: of two commands at the same moment, one gets it. Resolves with what
   * an earlier command, which has died or could not undo it, has left paused; with `takeOver` also with what a passed gate holds.
   * @throws {HoldfastError} HF_FLEET_BUSY when another command is at it, or its deploy; HF_FLEET_STATE when the file cannot be read or written
   */
  async claim(takeOver: boolean): Promise<HeldFleet | undefined> {
    return this.#locked(async () => {
      const found = await this.left()
      if (found?.phase === 'held' && !takeOver) throw passedBy(found)
      await this.write(found?.queues ?? [], 'waiting')
      return found?.queues.length === 0 ? undefined : found
    })
  }

  /**
   * What is paused, by a command that is not at it any more.
   * @throws {HoldfastError} HF_FLEET_BUSY when it is, HF_FLEET_STATE when the file cannot be read
   */
  async left(): Promise<HeldFleet | undefined> {
    const found = await this.read()
    if (found?.phase === 'waiting' && isAlive(found.owner)) {
      const text = `${ownerText(found)} is preparing a deploy of this fleet, since ${found.since}.`
      throw new HoldfastError('HF_FLEET_BUSY', text)
    }
    this.#since = found?.since
    return found
  }

  async read(): Promise<HeldFleet | undefined> {
    try {
      const found = JSON.parse(await readFile(this.path, 'utf8')) as HeldFleet
      if (found.system === this.#system && Array.isArray(found.queues)) return found
      throw new Error(`it is not about ${this.#system}`)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw new HoldfastError('HF_FLEET_STATE', `${this.path} cannot be read: ${(cause as Error).message}`, { cause })
    }
  }

  async write(queues: readonly Fetching[], phase: HeldFleet['phase']): Promise<void> {
    this.#since ??= new Date().toISOString()
    const held: HeldFleet = {
      system: this.#system,
      since: this.#since,
      phase,
      owner: { pid: process.pid, host: hostname(), name: this.#owner },
      queues,
    }
    try {
      await mkdir(path.dirname(this.path), { recursive: true })
      // Never half of it: a killed process leaves the old text or the new one.
      await writeFile(`${this.path}.new`, `${JSON.stringify(held, null, 2)}\n`)
      await rename(`${this.path}.new`, this.path)
    } catch (cause) {
      throw this.#unwritable(cause)
    }
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true })
  }

  async #locked<T>(work: () => Promise<T>): Promise<T> {
    const lock = `${this.path}.lock`
    await mkdir(path.dirname(lock), { recursive: true }).catch((cause: unknown) => {
      throw this.#unwritable(cause)
    })
    const until = performance.now() + 2 * LOCK_MS
    while (!(await this.#lock(lock))) {
      const { mtimeMs } = await stat(lock).catch(() => ({ mtimeMs: Date.now() }))
      if (Date.now() - mtimeMs > LOCK_MS) await rm(lock, { force: true })
      else if (performance.now() > until) throw this.#unwritable(new Error(`${lock} does not go away`))
      else await sleep(20)
    }
    try {
      return await work()
    } finally {
      await rm(lock, { force: true })
    }
  }

  async #lock(lock: string): Promise<boolean> {
    try {
      await (await open(lock, 'wx')).close()
      return true
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false
      throw this.#unwritable(cause)
    }
  }

  #unwritable(cause: unknown): HoldfastError {
    return new HoldfastError('HF_FLEET_STATE', `${this.path} cannot be written: ${(cause as Error).message}`, { cause })
  }
}

function passedBy(found: HeldFleet): HoldfastError {
  const text =
    `${ownerText(found)} has passed the gate over this fleet, which is paused for that deploy since ${found.since}: finish or abort it. ` +
    'With --take-over, this command has the pause from now on, and undoes it if it gives up.'
  return new HoldfastError('HF_FLEET_BUSY', text)
}

function ownerText({ owner: { name, host, pid } }: HeldFleet): string {
  return `${name ?? host} (process ${pid})`
}

function isAlive({ pid, host }: HeldFleet['owner']): boolean {
  if (host !== hostname() || pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
