import { writeFileSync } from 'node:fs'
import { FAMILIES } from '../fixtures/apps/deaths.ts'
import type { Stage } from '../support/stage.ts'
import { until } from '../support/until.ts'
import { createWitness, type Sighting, type Witness } from '../support/witness.ts'
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.ts'
import { type Fate, MODES, type Mode, TEMPERS, type Temper } from './rules.ts'
import type { Way } from './ways.ts'

/** A job, and what must become of it. */
export interface Victim {
  readonly id: string
  readonly who: string
  readonly mode: Mode
  readonly fate: Fate
}

/** A worker under `holdfast work` with jobs that live on it. */
export interface Scene extends AsyncDisposable {
  readonly stage: Stage
  readonly witness: Witness
  readonly worker: WorkerProcess
  readonly victims: readonly Victim[]
  /** Lets a job of each mode and temper live, and waits until all of them do. */
  populate(): Promise<void>
  /** A job that does something to its process; resolves when its code has begun. */
  culprit(mode: Mode): Promise<Sighting>
  /** What ends by itself may end from now on. */
  openGate(): void
  /** Another worker, which takes up what is left. */
  heir(): Promise<WorkerProcess>
}

export async function openScene(stage: Stage, way: Way): Promise<Scene> {
  const witness = createWitness()
  const gate = `${witness.path}.gate`
  const settings = (env: Readonly<Record<string, string>> = {}) => ({
    ...{ app: 'deaths', database: stage.database, schema: stage.schema, witness: witness.path },
    env: { GATE: gate, ...env },
  })
  const jobs = stage.holdfast({ queues: { away: {} } })
  const worker = await startWorkerProcess({ entry: 'cli', ...way.worker, ...settings(way.worker?.env) })
  const heirs: WorkerProcess[] = []
  const victims: Victim[] = []

  const live = async (mode: Mode, temper: Temper, fate: Fate): Promise<void> => {
    const { id } = await jobs.enqueue(FAMILIES.here[mode], { temper })
    victims.push({ id, mode, fate, who: `${mode}, ${temper}` })
  }
  const begun = async (id: string): Promise<Sighting> => {
    const find = () => witness.saw('begin').find((sighting) => sighting['id'] === id)
    await until(() => find() !== undefined, { what: () => `job ${id} has begun; ${JSON.stringify(worker.noise)}` })
    return find() as Sighting
  }

  return {
    ...{ stage, witness, worker, victims },
    async populate() {
      const all = MODES.flatMap((mode) => (way.tempers ?? TEMPERS).map((temper) => [mode, temper] as const))
      await Promise.all(all.map(([mode, temper]) => live(mode, temper, way.beside(mode, temper))))
      for (const { id } of victims) await begun(id)
    },
    async culprit(mode) {
      const { family, deed, fate } = way.culprit as NonNullable<Way['culprit']>
      const { id } = await jobs.enqueue(FAMILIES[family][mode], { temper: 'deaf', deed })
      victims.push({ id, mode, fate, who: `${mode}, which did it` })
      return begun(id)
    },
    openGate: () => writeFileSync(gate, ''),
    async heir() {
      const heir = await startWorkerProcess({ ...settings(way.worker?.env), queues: ['default'] })
      heirs.push(heir)
      return heir
    },
    async [Symbol.asyncDispose]() {
      for (const each of [...heirs, worker]) await each[Symbol.asyncDispose]()
      witness[Symbol.dispose]()
      await stage[Symbol.asyncDispose]()
    },
  }
}
