import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { HoldfastError } from '../../model/errors.ts'
import type { Fetching } from './fleet.ts'

/** What a gate has paused. These systems have no pause that ends by itself: whoever comes later must be able to end it. */
export interface HeldFleet {
  readonly system: string
  /** ISO time of the first pause. */
  readonly since: string
  /** `waiting`: a command owns it, and undoes it when it gives up. `held`: the gate was passed. */
  readonly phase: 'waiting' | 'held'
  readonly owner: { readonly pid: number; readonly host: string }
  readonly queues: readonly Fetching[]
}

/** A file, written before anything is paused, gone when everything fetches again. */
export class HeldFile {
  readonly path: string
  readonly #system: string
  #since: string | undefined

  constructor(file: string, system: string) {
    this.path = path.resolve(file)
    this.#system = system
  }

  /**
   * What an earlier command has left.
   * @throws {HoldfastError} HF_FLEET_BUSY when that command is at it, HF_FLEET_STATE when the file cannot be read
   */
  async open(): Promise<HeldFleet | undefined> {
    const found = await this.read()
    if (found?.phase === 'waiting' && isAlive(found.owner)) {
      const { pid } = found.owner
      throw new HoldfastError(
        'HF_FLEET_BUSY',
        `Process ${pid} is preparing a deploy of this fleet, since ${found.since}.`,
      )
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
      owner: { pid: process.pid, host: hostname() },
      queues,
    }
    try {
      await mkdir(path.dirname(this.path), { recursive: true })
      // Never half of it: a killed process leaves the old text or the new one.
      await writeFile(`${this.path}.new`, `${JSON.stringify(held, null, 2)}\n`)
      await rename(`${this.path}.new`, this.path)
    } catch (cause) {
      throw new HoldfastError('HF_FLEET_STATE', `${this.path} cannot be written: ${(cause as Error).message}`, {
        cause,
      })
    }
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true })
  }
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
