/** What one line may hold; a job that prints without line ends must not fill the memory. */
const LONGEST = 8_192

/** Cuts text, as it comes, into lines. */
export class Lines {
  readonly #onLine: (line: string) => void
  #rest = ''

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  add(text: string): void {
    const lines = (this.#rest + text).split(/\r?\n/)
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#say(line)
    if (this.#rest.length > LONGEST) this.flush()
  }

  /** Nothing more will come of the line that was begun. */
  flush(): void {
    const rest = this.#rest
    this.#rest = ''
    if (rest !== '') this.#say(rest)
  }

  #say(line: string): void {
    if (line.trim() === '') return
    this.#onLine(line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line)
  }
}
