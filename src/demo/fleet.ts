import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { Member } from './member.ts'
import { writeRelease } from './releases.ts'

export interface FleetOptions {
  /** The project folder of the demo: its database is there, and the folders of the releases. */
  readonly folder: string
  readonly witness: string
  /** What the platform leaves between SIGTERM and SIGKILL, in seconds. */
  readonly grace: number
  /** Rows in a batch: releases take turns. */
  readonly batches: readonly number[]
  /** Take the fence out of what the workers send to the database. */
  readonly dropFence: boolean
}

const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
const file = (name: string) => new URL(`./${name}.${EXTENSION}`, import.meta.url)

/** Every worker process there has been. Each runs a release of its own. */
export class Fleet {
  readonly #options: FleetOptions
  readonly members: Member[] = []
  #releases = 0

  constructor(options: FleetOptions) {
    this.#options = options
    process.on('exit', this.#last)
  }

  /** Builds the next release and starts a worker on it. */
  async deploy(): Promise<Member> {
    const { folder, witness, grace, batches, dropFence } = this.#options
    const number = ++this.#releases
    const releases = path.join(folder, 'releases')
    await mkdir(releases, { recursive: true })
    const release = await writeRelease(number, batches[number % batches.length] ?? 1, releases)
    const { NODE_OPTIONS: _options, NODE_ENV: _mode, DATABASE_URL: _other, ...env } = process.env
    const member = new Member(release, {
      command: [
        ...(dropFence ? ['--import', file('drop-fence').href] : []),
        '--no-warnings',
        file('work').pathname,
        release.app,
      ],
      env: {
        ...env,
        HOLDFAST_PROJECT: folder,
        HOLDFAST_BUILD: release.build,
        HOLDFAST_GRACE: `${grace}s`,
        HOLDFAST_DEMO_WITNESS: witness,
      },
    })
    this.members.push(member)
    return member
  }

  get alive(): Member[] {
    return this.members.filter((member) => member.condition !== 'gone')
  }

  async stop(): Promise<void> {
    await Promise.all(this.alive.map((member) => member.stop(this.#options.grace * 1_000)))
  }

  /** Whatever state they are in. */
  async kill(): Promise<void> {
    await Promise.all(this.alive.map((member) => member.kill()))
    process.off('exit', this.#last)
  }

  readonly #last = (): void => {
    for (const member of this.alive) member.killNow()
  }
}
