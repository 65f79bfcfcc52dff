import type { Writable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'

export type Terminal = Writable & { readonly isTTY?: boolean; readonly columns?: number }

const HIDE_CURSOR = '\x1b[?25l'
const SHOW_CURSOR = '\x1b[?25h'
const CLEAR_BELOW = '\x1b[J'
const UP = (lines: number) => `\x1b[${lines}A\r`

/** Lines that stay, and on a terminal a picture below them that is drawn again and again. */
export class Screen {
  readonly #out: Terminal
  readonly isLive: boolean
  #picture: readonly string[] = []
  #muted = false

  constructor(out: Terminal, isLive: boolean) {
    this.#out = out
    this.isLive = isLive
  }

  get width(): number {
    return Math.min(this.#out.columns ?? 100, 110)
  }

  say(...lines: string[]): void {
    const picture = this.#picture
    this.#write(`${this.#erase()}${lines.map((line) => `${line}\n`).join('')}`)
    this.draw(picture)
  }

  draw(picture: readonly string[]): void {
    if (!this.isLive) return
    const lines = picture.map((line) => cut(line, this.width))
    this.#write(`${HIDE_CURSOR}${this.#erase()}${lines.map((line) => `${line}\n`).join('')}`)
    this.#picture = lines
  }

  /** The terminal is gone: a write would end the process before it has cleared up. */
  mute(): void {
    this.#muted = true
  }

  /** Takes the picture away and gives the terminal back. */
  close(): void {
    if (this.isLive) this.#write(`${this.#erase()}${SHOW_CURSOR}`)
  }

  #erase(): string {
    const lines = this.#picture.length
    this.#picture = []
    return lines === 0 ? '' : `${UP(lines)}${CLEAR_BELOW}`
  }

  #write(text: string): void {
    if (text !== '' && !this.#muted) this.#out.write(text)
  }
}

/** A line that wraps would spoil the counting. Cuts at the end, where colours have ended. */
function cut(line: string, width: number): string {
  return stripVTControlCharacters(line).length <= width
    ? line
    : `${stripVTControlCharacters(line).slice(0, width - 1)}…`
}
