import { availableParallelism } from 'node:os'
import { describeDeath } from '../../model/death.ts'
import type { Isolation } from '../../tasks/isolate.ts'
import { monotonic } from '../monotonic.ts'
import { Cell } from './cell.ts'
import type { Boot } from './messages.ts'
import type { OutputStream } from './transport.ts'

export interface PoolOptions {
  readonly entry: URL
  readonly boot: Boot
  /** Cells with a run at the same time. */
  readonly most: number
  readonly onLine: (stream: OutputStream, line: string, cell: string) => void
  readonly onTrouble: (what: string) => void
}

export interface Wait {
  readonly isolation: Isolation
  /** A cell to itself, which nobody had before and nobody gets after it. */
  readonly alone: boolean
  /** Undefined: none could be started. */
  readonly got: (cell: Cell | undefined) => void
}

/** Loading an app keeps a core busy: with more at the same time each takes longer, and short runs are done by cells that are there. */
const BOOTING_MOST = Math.max(2, availableParallelism())
const IDLE_MS = 30_000
const LOOK_EVERY_MS = 5_000
const BOOT_FAILURES = 3
const BOOT_PAUSE_MS = 200
const BOOT_PAUSE_MOST_MS = 5_000

/** Cells of one kind: the same heap, process or thread. */
interface Wing {
  readonly isolation: Isolation
  readonly booting: Set<Cell>
  readonly idle: Cell[]
  readonly waits: Wait[]
  /** Boots that failed, one after the other. */
  failures: number
  pause: NodeJS.Timeout | undefined
}

/** Cells, kept warm: one more than there are runs, so that the next run does not wait for a process to start. */
export class Pool {
  readonly #options: PoolOptions
  readonly #wings = new Map<string, Wing>()
  readonly #living = new Set<Cell>()
  readonly #sweep: NodeJS.Timeout
  #closed: (() => void) | undefined

  constructor(options: PoolOptions) {
    this.#options = options
    this.#sweep = setInterval(() => this.#retireIdle(), LOOK_EVERY_MS)
    this.#sweep.unref()
  }

  /** Starts the first cell of this kind. */
  warm(isolation: Isolation): void {
    this.#fill(this.#wing(isolation))
  }

  /** Calls `got` with a cell as soon as there is one. @returns a function that gives the place in the queue up. */
  take(wait: Wait): () => void {
    const wing = this.#wing(wait.isolation)
    const at = wing.idle.findLastIndex(({ runs }) => !wait.alone || runs === 0)
    const [cell] = at === -1 ? [] : wing.idle.splice(at, 1)
    if (cell !== undefined) {
      wait.got(cell)
      this.#fill(wing)
      return () => {}
    }
    wing.waits.push(wait)
    this.#fill(wing)
    return () => {
      const at = wing.waits.indexOf(wait)
      if (at !== -1) wing.waits.splice(at, 1)
    }
  }

  /** A run has left its cell. `spent`: the cell must not have another one. */
  free(cell: Cell, isolation: Isolation, spent: boolean): void {
    const wing = this.#wing(isolation)
    if (!cell.dead) {
      if (spent || this.#closed !== undefined || cell.runs >= isolation.recycleAfter) this.#retire(cell)
      else this.#serve(wing, cell)
    }
    this.#fillAll()
  }

  /** Kills every cell. Resolves when they are dead. */
  async close(): Promise<void> {
    clearInterval(this.#sweep)
    for (const wing of this.#wings.values()) clearTimeout(wing.pause)
    const dead = new Promise<void>((resolve) => {
      this.#closed = resolve
    })
    if (this.#living.size === 0) return
    for (const cell of this.#living) cell.kill()
    await dead
  }

  #wing(isolation: Isolation): Wing {
    const key = `${isolation.in} ${isolation.heapMb ?? ''}`
    const found = this.#wings.get(key)
    if (found !== undefined) return found
    const made: Wing = { isolation, booting: new Set(), idle: [], waits: [], failures: 0, pause: undefined }
    this.#wings.set(key, made)
    return made
  }

  /** A place has become free, or a cell that has nothing to do: first come those who wait, then the spare ones. */
  #fillAll(): void {
    for (const wing of this.#wings.values()) if (wing.waits.length > 0) this.#fill(wing)
    for (const wing of this.#wings.values()) this.#fill(wing)
  }

  /** Starts as many cells as are waited for, and one more; never more than may run at the same time, and one. */
  #fill(wing: Wing): void {
    if (this.#closed !== undefined || wing.pause !== undefined) return
    const wanted = wing.waits.length + (wing.idle.length === 0 ? 1 : 0)
    while (wing.booting.size < Math.min(wanted, BOOTING_MOST)) {
      if (this.#living.size > this.#options.most && !this.#makeRoom(wing)) return
      this.#boot(wing)
    }
  }

  /** Takes the place of a cell of another kind that has nothing to do. */
  #makeRoom(wing: Wing): boolean {
    if (wing.waits.length === 0) return false
    for (const other of this.#wings.values()) {
      const cell = other === wing ? undefined : other.idle.shift()
      if (cell === undefined) continue
      this.#retire(cell)
      return true
    }
    return false
  }

  #boot(wing: Wing): void {
    const { entry, boot, onLine } = this.#options
    const { in: place, heapMb } = wing.isolation
    const cell: Cell = new Cell(
      { entry, boot, in: place, heapMb, onLine: (stream, line, { name }) => onLine(stream, line, name) },
      {
        onReady: () => {
          wing.booting.delete(cell)
          wing.failures = 0
          this.#serve(wing, cell)
          this.#fillAll()
        },
        onDeath: (death, why) => {
          this.#remove(cell)
          const wasBooting = wing.booting.delete(cell)
          const at = wing.idle.indexOf(cell)
          if (at !== -1) wing.idle.splice(at, 1)
          if (this.#closed !== undefined) return
          if (wasBooting) this.#failed(wing, why ?? `its ${place} ${describeDeath(death)}`)
          else this.#fillAll()
        },
      },
    )
    this.#living.add(cell)
    wing.booting.add(cell)
  }

  /** Gives the cell to who waits longest. One who wants it alone takes only one that nobody had. */
  #serve(wing: Wing, cell: Cell): void {
    const at = wing.waits.findIndex(({ alone }) => !alone || cell.runs === 0)
    const [wait] = at === -1 ? [] : wing.waits.splice(at, 1)
    if (wait !== undefined) return wait.got(cell)
    cell.idleSince = monotonic()
    wing.idle.push(cell)
    // Somebody waits for a cell that nobody had before: this one must make room.
    if (wing.waits.length > 0 && this.#living.size > this.#options.most) this.#retire(wing.idle.pop() as Cell)
  }

  #failed(wing: Wing, why: string): void {
    wing.failures++
    this.#options.onTrouble(`starting an isolated ${wing.isolation.in}: ${why}`)
    if (wing.failures >= BOOT_FAILURES) for (const { got } of wing.waits.splice(0)) got(undefined)
    const pause = Math.min(BOOT_PAUSE_MS * 2 ** Math.min(wing.failures, 10), BOOT_PAUSE_MOST_MS)
    wing.pause = setTimeout(() => {
      wing.pause = undefined
      this.#fillAll()
    }, pause)
  }

  /** Out of the count at once, although it may take a moment to die: its place is free for another. */
  #retire(cell: Cell): void {
    this.#living.delete(cell)
    cell.kill()
  }

  #remove(cell: Cell): void {
    this.#living.delete(cell)
    if (this.#living.size === 0) this.#closed?.()
  }

  #retireIdle(): void {
    const now = monotonic()
    for (const wing of this.#wings.values()) {
      while (wing.idle.length > 1 && now - (wing.idle[0]?.idleSince ?? now) > IDLE_MS) {
        this.#retire(wing.idle.shift() as Cell)
      }
    }
  }
}
