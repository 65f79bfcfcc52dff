import { setTimeout as sleep } from 'node:timers/promises'
import { importPlaces, jobs } from './contract.ts'
import { type Faults, fateOf, type Incident } from './faults.ts'
import type { ImportFile } from './files.ts'
import type { Fleet } from './fleet.ts'
import type { Member } from './member.ts'
import type { Witness } from './witness.ts'

export interface DemoOptions {
  /** Rows to import; undefined: as many as the data set has. */
  readonly rows: number | undefined
  /** ms from one deploy to the next. */
  readonly every: number
  /** Take the fence out of the workers' statements. */
  readonly dropFence: boolean
  /** Leave the folder with the files, the releases and the witness. */
  readonly keep: boolean
  readonly signal: AbortSignal
  /** The import begins; the scene is what there is to be seen whenever it is called. */
  readonly onBegin: (scene: () => Scene) => void
  readonly onPhase: (phase: string) => void
  readonly onIncident: (incident: Incident, scene: Scene) => void
}

/** What there is to be seen at a moment. */
export interface Scene {
  readonly members: readonly Member[]
  /** By job. */
  readonly files: ReadonlyMap<string, ImportFile>
  readonly latest: Witness['latest']
}

interface Stage {
  readonly fleet: Fleet
  readonly witness: Witness
  readonly faults: Faults
}

const LOOK_EVERY_MS = 100
/** When nobody has done anything for this long, the import will not end: the verdict says what is missing. */
const STALLED_MS = 30_000

/** One job a file, two workers, and a deploy every few seconds until the last job is done. All workers have left when it resolves. */
export async function runImport(
  database: string,
  files: readonly ImportFile[],
  stage: Stage,
  options: DemoOptions,
): Promise<void> {
  const { fleet, witness, faults } = stage
  const { every, signal, onBegin, onIncident } = options
  const current = await Promise.all([fleet.deploy(), fleet.deploy()])
  await Promise.all(current.map((member) => member.ready()))
  const byJob = await enqueue(database, files)
  const scene = (): Scene => ({ members: fleet.alive, files: byJob, latest: witness.latest })
  const isOver = () =>
    [...byJob.keys()].every((job) => witness.latest.get(job)?.did === 'done') || witness.silence > STALLED_MS
  signal.throwIfAborted()
  onBegin(scene)

  const aftermaths: Promise<void>[] = []
  let deployAt = performance.now() + every
  for (let round = 1; !isOver(); await sleep(LOOK_EVERY_MS, undefined, { signal })) {
    if (performance.now() < deployAt) continue
    deployAt += every
    const next = await fleet.deploy()
    await next.ready()
    current.push(next)
    const old = current.shift()
    if (old === undefined || isOver()) break
    // Striking a worker with empty hands would prove nothing.
    const fate = witness.heldBy(old.release.number).length > 0 ? fateOf(round) : 'stop'
    const { aftermath } = await faults.strike(old, fate)
    aftermaths.push(aftermath.then((incident) => onIncident(incident, scene())))
    aftermaths.at(-1)?.catch(() => {})
    round++
  }
  await Promise.all(aftermaths)
  await fleet.stop()
}

/** As a web server would, through the contract: it knows nothing of what the workers run. */
async function enqueue(database: string, files: readonly ImportFile[]): Promise<Map<string, ImportFile>> {
  const client = jobs.connect({ database })
  try {
    const enqueued = files.map(
      async (file) => [(await client.enqueue(importPlaces, { path: file.path })).id, file] as const,
    )
    return new Map(await Promise.all(enqueued))
  } finally {
    await client.close()
  }
}
