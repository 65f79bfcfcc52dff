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
  /** Rows in a batch: every other release of a worker has the same. */
  readonly batches: readonly number[]
  /** Take the fence out of what the workers send to the database. */
  readonly dropFence: boolean
}

const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
const file = (name: string) => new URL(`${name}.${EXTENSION}`, import.meta.url)

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
    const release = await writeRelease(number, batches[Math.ceil(number / 2) % batches.length] ?? 1, releases)
    const preload = dropFence ? ['./leash', './drop-fence'] : ['./leash']
    const member = new Member(release, {
      command: [
        ...preload.flatMap((name) => ['--import', file(name).href]),
        file('../cli/main').pathname,
        'work',
        '--json',
      ],
      env: {
        ...cleanEnvironment(),
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

/** Without what this process was started with: npm's marks, another database, options of node. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const given = Object.entries(process.env)
  return Object.fromEntries(
    given.filter(([name]) => !/^(npm_|HOLDFAST_|NODE_OPTIONS$|NODE_ENV$|DATABASE_URL$)/i.test(name)),
  )
}
